from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.severity import Severity
from ..types import const, parse_time


@_attrs_frozen(eq=False, repr=False)
class UnhandledExceptionEvent(Schema):
    """An exception ended the client's work."""

    event_id: str
    """ Id of the event, a UUID. """

    event_session_index: int
    """ Number of the event within its session, from 0. """

    severity: Severity
    """ Severity of an event. """

    timestamp: datetime.datetime
    """ When the event happened. """

    error_type: str
    """ Class of the exception. """

    error_message: str
    """ Message of the exception. """

    event: Literal["UNHANDLED_EXCEPTION"] = "UNHANDLED_EXCEPTION"
    """ Type tag, always `UNHANDLED_EXCEPTION`. """

    traceback: None | str = None
    """ Traceback of the exception. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "event": self.event,
            "event_id": self.event_id,
            "event_session_index": self.event_session_index,
            "severity": self.severity,
            "timestamp": self.timestamp.isoformat(),
            "error_type": self.error_type,
            "error_message": self.error_message,
        }
        if self.traceback is not None:
            result["traceback"] = self.traceback
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        traceback = src.get("traceback")
        return cls(
            src["event_id"],
            src["event_session_index"],
            src["severity"],
            parse_time(src["timestamp"]),
            src["error_type"],
            src["error_message"],
            const(src["event"], "UNHANDLED_EXCEPTION", "event"),
            traceback,
        )
