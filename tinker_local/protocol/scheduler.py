"""Decides which operation runs next.

Operations of one model run in the order of their seq_ids, whatever the order in which they arrive. Those
of one sampler run in the order in which they arrive, several at a time. Models and samplers take turns. One
thread executes, at a lower priority, so that the event loop stays free to respond.

If a seq_id is missing, the operations after it wait; after `gap_seconds` without any arrival for the model, the gap
is skipped, because its client has given up, and they run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import queue
import sys
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence

from attrs import define, field

from tinker_local.state import disk
from tinker_local.state.store import Request

logger = logging.getLogger("tinker_local")

LARGEST_SAMPLE_BATCH = 64
NICENESS = 5
"""Added niceness of the thread that executes and of the threads it starts, so that the event loop gets the processor first."""
RETRY_SECONDS = 1.0
"""Seconds between attempts to record a result."""


@define
class _Model:
    """The waiting operations of one model."""

    next_seq_id: int
    numbered: dict[int, Request] = field(factory=dict)
    unnumbered: deque[tuple[int, Request]] = field(factory=deque)
    """Requests without a number, each with the seq_id that must have run before it."""
    timer: asyncio.TimerHandle | None = None

    def take(self) -> Request | None:
        if self.unnumbered and self.unnumbered[0][0] < self.next_seq_id:
            return self.unnumbered.popleft()[1]
        request = self.numbered.pop(self.next_seq_id, None)
        if request is not None:
            self.next_seq_id += 1
        return request

    @property
    def waits_for_a_gap(self) -> bool:
        return bool(self.numbered) and self.next_seq_id not in self.numbered


class Scheduler:
    """Lives on the event loop; `execute` is called on a thread of its own, until it does not raise."""

    def __init__(self, execute: Callable[[Sequence[Request]], None], *, gap_seconds: float) -> None:
        self._execute = execute
        self._gap_seconds = gap_seconds
        self._loop = asyncio.get_running_loop()
        self._models: dict[str, _Model] = {}
        self._samplers: dict[str, deque[Request]] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._events: dict[str, asyncio.Event] = {}
        self._waiters: Counter[str] = Counter()
        self._left: dict[str, float] = {}
        """When the last waiter for each request left."""
        self.trouble: str | None = None
        """Why nothing can be recorded; None if recording works."""
        self.stopping = False
        self._busy = False
        self._running: Sequence[Request] = ()
        self._stopping = threading.Event()
        self._work: queue.SimpleQueue[Sequence[Request] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # ---- in ---------------------------------------------------------------------------------

    def model(self, model_id: str, next_seq_id: int) -> None:
        """Add a model whose operations before `next_seq_id` have run."""
        self._models.setdefault(model_id, _Model(next_seq_id))

    def last_seq_id(self, model_id: str) -> int:
        """The highest number that has arrived for this model."""
        model = self._models[model_id]
        return max([model.next_seq_id - 1, *model.numbered])

    def next_seq_id(self, model_id: str) -> int:
        return self._models[model_id].next_seq_id

    def first_missing(self, model_id: str) -> int:
        """The lowest number, from 1, that has not arrived."""
        model = self._models[model_id]
        number = max(1, model.next_seq_id)
        while number in model.numbered:
            number += 1
        return number

    def add(self, request: Request) -> None:
        """Queue a request that has been recorded."""
        self._events[request.id] = asyncio.Event()
        self._left[request.id] = self._loop.time()
        model = self._models.get(request.target)
        if model is None:
            self._samplers.setdefault(request.target, deque()).append(request)
        elif request.seq_id is None:
            model.unnumbered.append((self.last_seq_id(request.target), request))
        else:
            model.numbered[request.seq_id] = request
        self._turns.setdefault(request.target)
        self._watch_gap(request.target)
        self._dispatch()

    def cancel(self, request: Request) -> bool:
        """Withdraw a sample that has not begun."""
        waiting = self._samplers.get(request.target, deque())
        for queued in waiting:
            if queued.id == request.id:
                waiting.remove(queued)
                return True
        return False

    def abandoned(self, seconds: float) -> list[Request]:
        """Waiting samples that nobody has polled for in that time."""
        now = self._loop.time()

        def is_awaited(key: str) -> bool:
            return self._waiters[key] > 0 or self._left.get(key, -math.inf) > now - seconds

        return [
            request
            for target, waiting in self._samplers.items()
            if not is_awaited(target)
            for request in waiting
            if not is_awaited(request.id)
        ]

    # ---- out --------------------------------------------------------------------------------

    async def wait(self, request_id: str, seconds: float) -> None:
        """Return when the request is done, or after this time."""
        event = self._events.get(request_id)
        if event is not None:
            self._waiters[request_id] += 1
            try:
                async with asyncio.timeout(seconds):
                    await event.wait()
            except TimeoutError:
                pass
            finally:
                self._waiters[request_id] -= 1
                if request_id in self._events:
                    self._left[request_id] = self._loop.time()
                elif self._waiters[request_id] <= 0:
                    del self._waiters[request_id]

    async def wait_for_target(self, target: str, seconds: float) -> None:
        """Return when any request of this sampler is done, or after this time."""
        self._events.setdefault(target, asyncio.Event())
        await self.wait(target, seconds)

    def waiting(self) -> list[tuple[Request, str]]:
        """The queue, in order, and what each operation waits for."""
        found = [(request, "running") for request in self._running]
        for target in self._turns:
            model = self._models.get(target)
            if model is None:
                queued = self._samplers.get(target, ())
                found += [(request, "waiting for its turn") for request in queued]
                continue
            last = model.next_seq_id - 1
            for seq_id, request in sorted(model.numbered.items()):
                why = f"after seq_id {last}" if last >= 0 else "waiting for its turn"
                if seq_id != last + 1:
                    why = f"seq_id {last + 1} has not arrived"
                found.append((request, why))
                last = seq_id
            found += [(request, f"after seq_id {after}") for after, request in model.unnumbered]
        return found

    def active_samples(self) -> int:
        """Number of samples that are being drawn or wait."""
        drawn = sum(request.operation == "asample" for request in self._running)
        return drawn + sum(len(waiting) for waiting in self._samplers.values())

    def reason(self, request: Request) -> str | None:
        """Why a request does not run yet; None if it waits only for its turn."""
        if self.trouble is not None:
            return f"All operations are on hold: {self.trouble}"
        model = self._models.get(request.target)
        if model is None or not model.waits_for_a_gap:
            return None
        if request.seq_id is not None and request.seq_id < model.next_seq_id:
            return None  # it is running
        return f"Waiting for seq_id {model.next_seq_id} of {request.target}, which has not arrived"

    def done(self, request_id: str) -> None:
        """Wake all waiters of a request."""
        self._left.pop(request_id, None)
        event = self._events.pop(request_id, None)
        if event is not None:
            event.set()

    def release_polls(self) -> None:
        """Wake all waiters because the server shuts down."""
        self.stopping = True
        for event in self._events.values():
            event.set()

    # ---- running ----------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Give an idle thread its next work: from the target whose turn it is."""
        if self._busy:
            return
        for target in list(self._turns):
            requests = self._take(target)
            self._turns.move_to_end(target)
            if requests:
                self._busy = True
                self._running = requests
                self._work.put(requests)
                return
            if not self._waiting(target):
                del self._turns[target]

    def _take(self, target: str) -> list[Request]:
        model = self._models.get(target)
        if model is not None:
            request = model.take()
            return [request] if request else []
        waiting = self._samplers.get(target, deque())
        return [waiting.popleft() for _ in range(min(len(waiting), LARGEST_SAMPLE_BATCH))]

    def _waiting(self, target: str) -> bool:
        model = self._models.get(target)
        if model is not None:
            return bool(model.numbered or model.unnumbered)
        if not self._samplers.get(target):
            self._samplers.pop(target, None)
            return False
        return True

    def _run(self) -> None:
        if sys.platform == "linux":  # elsewhere priorities are of processes
            with contextlib.suppress(OSError):
                thread = threading.get_native_id()
                own = os.getpriority(os.PRIO_PROCESS, thread)
                os.setpriority(os.PRIO_PROCESS, thread, own + NICENESS)
        while (requests := self._work.get()) is not None:
            while not self._try(requests):
                if self._stopping.wait(RETRY_SECONDS):
                    return
            try:
                self._loop.call_soon_threadsafe(self._finished, requests)
            except RuntimeError:
                return  # the event loop is closed: the server shuts down

    def _try(self, requests: Sequence[Request]) -> bool:
        try:
            self._execute(requests)
        except Exception as error:
            # Failures of operations become results of futures. This is something else, such as a full
            # disk; nothing was committed, and no later operation may run before this one.
            full = disk.reason(error)
            trouble = full or f"{type(error).__name__}: {error}"
            if trouble != self.trouble and not self._stopping.is_set():  # once, not every second
                logger.error(
                    "%s cannot be recorded; trying again until it can: %s",
                    requests[0].id,
                    trouble,
                    exc_info=None if full else error,
                )
            self.trouble = trouble
            return False
        self.trouble = None
        return True

    def _finished(self, requests: Sequence[Request]) -> None:
        for request in requests:
            self.done(request.id)
        self._busy = False
        self._running = ()
        for target in {request.target for request in requests}:
            self.done(target)
            self._watch_gap(target)
        self._dispatch()

    # ---- gaps -------------------------------------------------------------------------------

    def _watch_gap(self, target: str) -> None:
        model = self._models.get(target)
        if model is None:
            return
        if model.timer is not None:
            model.timer.cancel()
            model.timer = None
        if model.waits_for_a_gap:
            model.timer = self._loop.call_later(self._gap_seconds, self._pass_over, target)

    def _pass_over(self, target: str) -> None:
        model = self._models[target]
        model.timer = None
        if model.waits_for_a_gap:
            found = min(model.numbered)
            logger.warning(
                "%s: seq_ids %d to %d have not arrived; skipping them.",
                target,
                model.next_seq_id,
                found - 1,
            )
            model.next_seq_id = found
            self._dispatch()

    def stop(self) -> None:
        """Let the thread end after its current work."""
        self._stopping.set()
        self._work.put(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
