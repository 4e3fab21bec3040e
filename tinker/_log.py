"""The events that the client logs, with their loggers, levels and fields. docs/logging-and-traces.md lists them.

`record.event` is the event's name, and `record.args` are its fields, for handlers that write JSON. The loggers are children
of `tinker`, so a program can configure all of them at once.
"""

from __future__ import annotations

import logging
import re
from logging import DEBUG, ERROR, INFO, WARNING

from attrs import field, frozen

_NAMED = re.compile(r"%\((\w+)\)")


@frozen
class LogEvent:
    """One kind of log record. A call writes one."""

    name: str
    logger: str
    """The logger below `tinker`."""
    levels: tuple[int, ...]
    text: str
    """The message, with its fields as `%(name)s`."""
    more: tuple[str, ...] = ()
    """Fields that are not in the message."""
    _logger: logging.Logger = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_logger", logging.getLogger(f"tinker.{self.logger}"))

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields."""
        return (*_NAMED.findall(self.text), *self.more)

    @property
    def is_on(self) -> bool:
        """Whether it would be written: to check before fields are computed that cost something."""
        return self._logger.isEnabledFor(self.levels[0])

    def __call__(
        self, level: int | None = None, /, *, exc_info: bool = False, **fields: object
    ) -> None:
        """Write a record; an event with several levels needs `level`."""
        level = self.levels[0] if level is None else level
        if self._logger.isEnabledFor(level):
            self._logger.log(
                level,
                self.text,
                fields,
                exc_info=exc_info,
                extra={"event": self.name},
                stacklevel=2,
            )


REQUEST = LogEvent(
    "request", "requests", (DEBUG,), "%(operation)s: %(status)s in %(seconds).3f s",
    ("purpose", "attempt", "bytes_sent", "bytes_received"),
)  # fmt: skip
RETRY = LogEvent(
    "retry", "requests", (INFO, WARNING), "%(error)s; trying again in %(pause).1f s",
    ("operation", "attempt", "cause"),
)  # fmt: skip
FIELDS_LEFT_OUT = LogEvent(
    "fields_left_out", "requests", (WARNING,), "%(error)s; it is left out", ("fields",)
)

POLL = LogEvent(
    "poll", "polls", (DEBUG,), "%(operation)s: %(state)s after %(seconds).3f s",
    ("request_id", "queue_state"),
)  # fmt: skip
SILENT_POLL = LogEvent(
    "silent_poll", "polls", (INFO,),
    "%(operation)s: no response to a poll for %(seconds).0f s; asking again",
)  # fmt: skip
SECOND_POLL_FAILED = LogEvent(
    "second_poll_failed", "polls", (DEBUG,), "%(operation)s: the second poll failed: %(error)s"
)
FEED_ENDED = LogEvent(
    "feed_ended", "polls", (INFO, WARNING),
    "Without a completions feed, each sample is asked for by itself: %(error)s",
)  # fmt: skip

OPERATION_ENDED = LogEvent(
    "operation_ended", "operations", (DEBUG,), "%(operation)s: %(outcome)s after %(seconds).3f s"
)
QUEUE_STATE = LogEvent(
    "queue_state", "operations", (DEBUG,), "%(operation)s: the queue is %(state)s", ("reason",)
)
STILL_WAITING = LogEvent(
    "still_waiting", "operations", (WARNING,), "Still waiting for %(operation)s%(others)s"
)
OBSERVER_FAILED = LogEvent(
    "observer_failed", "operations", (ERROR,),
    "The observer %(observer)s failed; it is still called, and later failures are not reported.",
)  # fmt: skip

SERVER_MESSAGE = LogEvent("server_message", "session", (INFO, WARNING, ERROR), "%(text)s")
CLOSED_EARLY = LogEvent(
    "closed_early", "session", (WARNING,),
    "The client was closed before the server had accepted %(operations)s: wait for results before the end, or "
    "close with wait=True.",
)  # fmt: skip
FINISH_FAILED = LogEvent(
    "finish_failed", "session", (WARNING,), "The session could not be finished: %(error)s"
)
SESSION_ENDED = LogEvent(
    "session_ended", "session", (WARNING,), "The server has ended the session %(session_id)s."
)
NO_HEARTBEAT = LogEvent(
    "no_heartbeat", "session", (WARNING,), "No heartbeat for %(seconds).0f s: %(error)s"
)

ENCODING_LEARNED = LogEvent(
    "encoding_learned", "training", (WARNING,),
    "%(error)s; it took the batch in %(encoding)s, in which all batches of this session are sent from now on",
)  # fmt: skip
OPTIMIZER_UNCONFIRMED = LogEvent(
    "optimizer_unconfirmed", "training", (WARNING,),
    "%(server)s does not confirm that the optimizer of %(model_id)s is %(optimizer)s. It may support AdamW only.",
)  # fmt: skip
RUN_LOST = LogEvent(
    "run_lost", "training", (WARNING,),
    "The server does not know the training run %(model_id)s any more: going on from its checkpoint %(checkpoint)s.",
)  # fmt: skip

SAMPLING_PAUSED = LogEvent(
    "sampling_paused", "sampling", (WARNING,),
    "Sampling from %(sampling_session_id)s is paused: %(reason)s",
)  # fmt: skip
SAMPLE_HELD_BACK = LogEvent(
    "sample_held_back", "sampling", (DEBUG,), "%(operation)s: %(status)s; it is sent again later"
)
SAMPLE_REPEATED = LogEvent(
    "sample_repeated", "sampling", (WARNING,), "%(error)s; sampling again in %(pause).1f s"
)
NOT_CANCELLED = LogEvent(
    "not_cancelled", "sampling", (DEBUG,), "A sample could not be cancelled: %(error)s"
)
NO_STREAM = LogEvent(
    "no_stream", "sampling", (WARNING,),
    "%(server)s does not stream samples: their tokens come when they are complete.",
)  # fmt: skip
NO_TEXT = LogEvent(
    "no_text", "sampling", (WARNING,), "The tokens of the stream have no text: %(error)s"
)
QUEUE_CALLBACK_FAILED = LogEvent(
    "queue_callback_failed", "sampling", (ERROR,),
    "on_queue_state_change failed for %(sampling_session_id)s",
)  # fmt: skip

TRACKER_FAILED = LogEvent(
    "tracker_failed", "recipes", (WARNING,),
    "logging to %(tracker)s failed, and is off from now on: %(error)s",
)  # fmt: skip

EVENTS = tuple(event for event in tuple(globals().values()) if isinstance(event, LogEvent))


def write_errors_only() -> None:
    """From now on, nothing below an error is written, whatever the program has set."""
    logging.getLogger("tinker").setLevel(ERROR)
