"""Which operation runs next.

Operations of one model run in the order of their seq_ids, whatever the order in which they arrive. Those
of one sampler run in the order in which they arrive, several at a time. Models and samplers take turns. One
thread executes, so that the event loop stays free to answer.

A seq_id that does not arrive is waited for; after `gap_seconds` without any arrival for that model, the
gap is passed over, because its client has given up on it, and the operations behind it run.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field

from tinker_local.store import Request

logger = logging.getLogger("tinker_local")

LARGEST_SAMPLE_BATCH = 64


@define(eq=False)
class Job:
    """A request with its body as the handler has decoded it; None after a restart."""

    request: Request
    payload: Any = None


@define
class _Model:
    """The operations of one model that wait."""

    next_seq_id: int
    numbered: dict[int, Job] = field(factory=dict)
    unnumbered: deque[tuple[int, Job]] = field(factory=deque)
    """Jobs without a number, each with the seq_id that must have run before it."""
    timer: asyncio.TimerHandle | None = None

    def take(self) -> Job | None:
        if self.unnumbered and self.unnumbered[0][0] < self.next_seq_id:
            return self.unnumbered.popleft()[1]
        job = self.numbered.pop(self.next_seq_id, None)
        if job is not None:
            self.next_seq_id += 1
        return job

    @property
    def waits_for_a_gap(self) -> bool:
        return bool(self.numbered) and self.next_seq_id not in self.numbered


class Scheduler:
    """Lives on the event loop; `execute` is called on a thread of its own."""

    def __init__(self, execute: Callable[[Sequence[Job]], None], *, gap_seconds: float) -> None:
        self._execute = execute
        self._gap_seconds = gap_seconds
        self._loop = asyncio.get_running_loop()
        self._models: dict[str, _Model] = {}
        self._samplers: dict[str, deque[Job]] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._events: dict[str, asyncio.Event] = {}
        self._busy = False
        self._work: queue.SimpleQueue[Sequence[Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # ---- in ---------------------------------------------------------------------------------

    def model(self, model_id: str, next_seq_id: int) -> None:
        """Know a model, whose operations before `next_seq_id` have run."""
        self._models.setdefault(model_id, _Model(next_seq_id))

    def last_seq_id(self, model_id: str) -> int:
        """The highest number this model has seen."""
        model = self._models[model_id]
        return max([model.next_seq_id - 1, *model.numbered])

    def next_seq_id(self, model_id: str) -> int:
        return self._models[model_id].next_seq_id

    def add(self, job: Job) -> None:
        """Queue a job that has been recorded."""
        request = job.request
        self._events[request.id] = asyncio.Event()
        model = self._models.get(request.target)
        if model is None:
            self._samplers.setdefault(request.target, deque()).append(job)
        elif request.seq_id is None:
            model.unnumbered.append((self.last_seq_id(request.target), job))
        else:
            model.numbered[request.seq_id] = job
        self._turns.setdefault(request.target)
        self._watch_gap(request.target)
        self._dispatch()

    def cancel(self, request: Request) -> bool:
        """Take back a sample that has not begun."""
        waiting = self._samplers.get(request.target, deque())
        for job in waiting:
            if job.request.id == request.id:
                waiting.remove(job)
                return True
        return False

    # ---- out --------------------------------------------------------------------------------

    async def wait(self, request_id: str, seconds: float) -> None:
        """Return when the job is done, or after this time."""
        event = self._events.get(request_id)
        if event is not None:
            try:
                async with asyncio.timeout(seconds):
                    await event.wait()
            except TimeoutError:
                pass

    def reason(self, request: Request) -> str | None:
        """Why a job does not run yet, if it waits for something that has not arrived."""
        model = self._models.get(request.target)
        if model is None or not model.waits_for_a_gap:
            return None
        return f"Waiting for seq_id {model.next_seq_id} of {request.target}, which has not arrived"

    def done(self, request_id: str) -> None:
        """Wake those who wait for a request."""
        event = self._events.pop(request_id, None)
        if event is not None:
            event.set()

    # ---- running ----------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Give the thread its next work, if it has none: from the target whose turn it is."""
        if self._busy:
            return
        for target in list(self._turns):
            jobs = self._take(target)
            self._turns.move_to_end(target)
            if jobs:
                self._busy = True
                self._work.put(jobs)
                return
            if not self._waiting(target):
                del self._turns[target]

    def _take(self, target: str) -> list[Job]:
        model = self._models.get(target)
        if model is not None:
            job = model.take()
            return [job] if job else []
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
        while (jobs := self._work.get()) is not None:
            try:
                self._execute(jobs)
            except Exception:
                # What an operation can do wrong is its future's result; this is the server's own fault.
                logger.exception("An operation could not be recorded; it stays pending.")
            try:
                self._loop.call_soon_threadsafe(self._finished, jobs)
            except RuntimeError:
                return  # the event loop is closed: the server is going down

    def _finished(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.done(job.request.id)
        self._busy = False
        for target in {job.request.target for job in jobs}:
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
                "%s: seq_ids %d to %d have not arrived; passing them over.",
                target,
                model.next_seq_id,
                found - 1,
            )
            model.next_seq_id = found
            self._dispatch()

    def stop(self) -> None:
        """Let the thread end after what it is doing."""
        self._work.put(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
