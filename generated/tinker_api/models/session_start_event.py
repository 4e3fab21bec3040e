from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.severity import Severity
from ..types import const, parse_time


@_attrs_frozen(eq=False, repr=False)
class SessionStartEvent(Schema):
    """A client opened a session."""

    event_id: str
    """ Id of the event, a UUID. """

    event_session_index: int
    """ Number of the event within its session, from 0. """

    severity: Severity
    """ Severity of an event. """

    timestamp: datetime.datetime
    """ When the event happened. """

    event: Literal["SESSION_START"] = "SESSION_START"
    """ Type tag, always `SESSION_START`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "event": self.event,
            "event_id": self.event_id,
            "event_session_index": self.event_session_index,
            "severity": self.severity,
            "timestamp": self.timestamp.isoformat(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["event_id"],
            src["event_session_index"],
            src["severity"],
            parse_time(src["timestamp"]),
            const(src["event"], "SESSION_START", "event"),
        )
