"""What an operation is doing, so that nobody waits without knowing for what.

Each operation has one `Progress`. Timeout messages, the log lines of retries and the periodic
"still waiting" lines come from it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from attrs import define, field

from tinker import _log

FIRST_REPORT = 30.0
"""Seconds after which an unfinished operation is reported for the first time."""
REPORT_INTERVAL = 60.0
"""Seconds between reports of one session."""


QueueObserver = Callable[[str, str | None], None]
"""Called with the queue state of an operation, and the server's reason or None, when they change."""


Headers = Sequence[tuple[bytes, bytes]]


@define(eq=False)
class Progress:
    operation: str
    """The operationId of the contract."""
    ids: dict[str, str] = field(factory=dict)
    """The object it works on, such as `{"model_id": …}`."""
    seq_ids: list[int] = field(factory=list)
    request_ids: list[str] = field(factory=list)
    doing: str = "waiting for the server's response"
    """What the operation waits for now, as a phrase."""
    queue: str | None = None
    """The last queue state and reason from the server, unless it is `active`."""
    tries: int = 0
    polls: int = 0
    started: float = field(factory=time.monotonic)
    deadline: float | None = None
    """Maximum number of seconds from the submission to the result; None for no limit."""
    on_queue_state: QueueObserver | None = None
    queue_state: str = "active"
    queue_reason: str | None = None
    model: str | None = None
    """Of a sample: the name of the model, or "" if it is unknown. None for other operations."""
    prompt_length: Callable[[], int] | None = None
    """Of a sample: returns the number of input tokens, or -1 if it is unknown."""
    attributes: Callable[[], Mapping[str, Any]] | None = None
    """Returns OpenTelemetry attributes for its span, never a text that a model reads or writes."""
    is_untraced: bool = False
    """Whether nobody traces it: then none of its requests has a span either."""
    span: Any = None
    """Its OpenTelemetry span, if that is recorded."""
    trace_headers: Headers = ()
    """What its requests say of its trace, if its span is not recorded."""

    def in_queue(self, state: str, reason: str | None) -> bool:
        """Record the state of the server's queue. Returns whether it has changed."""
        told = (reason and f"{state}, {reason}") or (state if state != "active" else None)
        if told == self.queue:
            return False
        self.queue, self.queue_state, self.queue_reason = told, state, reason
        if self.on_queue_state is not None:
            self.on_queue_state(state, reason)
        return True

    @property
    def waited(self) -> float:
        """Seconds since the operation was submitted."""
        return time.monotonic() - self.started

    def seconds_left(self) -> float:
        """Until the deadline; infinity if there is none."""
        return math.inf if self.deadline is None else self.deadline - self.waited

    def name(self) -> str:
        """The operation with its ids, as `optim_step (model_id=…, seq_id=3)`."""
        parts = [f"{key}={value}" for key, value in self.ids.items()]
        if self.seq_ids:
            first, last = self.seq_ids[0], self.seq_ids[-1]
            parts.append(f"seq_id={first}" if first == last else f"seq_ids={first}..{last}")
        if len(self.request_ids) == 1:
            parts.append(f"request_id={self.request_ids[0]}")
        return f"{self.operation} ({', '.join(parts)})" if parts else self.operation

    def describe(self) -> str:
        """The operation and what it waits for, in one phrase."""
        text = f"{self.name()}: {self.doing}, {self.waited:.0f} s since it was submitted"
        if self.polls:
            text += f", {self.polls} polls"
        if self.queue:
            text += f"; queue of the server: {self.queue}"
        return text


class Watch:
    """The operations of one session that are under way. Reports those that take long.

    Used only on the library's event loop.
    """

    def __init__(self) -> None:
        self._running: set[Progress] = set()
        self._alarm: asyncio.TimerHandle | None = None

    def add(self, progress: Progress) -> None:
        self._running.add(progress)
        if self._alarm is None:
            self._look_again_in(FIRST_REPORT)

    def discard(self, progress: Progress) -> None:
        self._running.discard(progress)

    def watched(self, progress: Progress) -> AbstractContextManager[Progress]:
        """Watch an operation while the block runs."""
        return _Watched(self, progress)

    def _look_again_in(self, seconds: float) -> None:
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Log the operations that have waited for long."""
        self._alarm = None
        if not self._running:
            return
        slow = [p for p in self._running if p.waited >= FIRST_REPORT]
        oldest = min(self._running, key=lambda p: p.started)
        if not slow:
            self._look_again_in(FIRST_REPORT - oldest.waited)
            return
        more = f" (and {len(slow) - 1} more operations)" if len(slow) > 1 else ""
        _log.STILL_WAITING(operation=oldest.describe(), others=more)
        self._look_again_in(REPORT_INTERVAL)


class _Watched:
    def __init__(self, watch: Watch, progress: Progress) -> None:
        self._watch, self._progress = watch, progress

    def __enter__(self) -> Progress:
        self._watch.add(self._progress)
        return self._progress

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watch.discard(self._progress)
