from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.severity import Severity
from ..types import const, parse_time


@_attrs_frozen(eq=False, repr=False)
class GenericEvent(Schema):
    """Any other event."""

    event_id: str
    """ Id of the event, a UUID. """

    event_session_index: int
    """ Number of the event within its session, from 0. """

    severity: Severity
    """ Severity of an event. """

    timestamp: datetime.datetime
    """ When the event happened. """

    event_name: str
    """ Name of the event. """

    event: Literal["GENERIC_EVENT"] = "GENERIC_EVENT"
    """ Type tag, always `GENERIC_EVENT`. """

    event_data: EventData = _attrs_field(factory=lambda: EventData())
    """ Details of a generic event. Never contains a credential. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "event": self.event,
            "event_id": self.event_id,
            "event_session_index": self.event_session_index,
            "severity": self.severity,
            "timestamp": self.timestamp.isoformat(),
            "event_name": self.event_name,
        }
        if self.event_data:
            result["event_data"] = self.event_data
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        event_data = src.get("event_data")
        return cls(
            src["event_id"],
            src["event_session_index"],
            src["severity"],
            parse_time(src["timestamp"]),
            src["event_name"],
            const(src["event"], "GENERIC_EVENT", "event"),
            EventData() if event_data is None else EventData.from_dict(event_data),
        )


from ..models.event_data import EventData  # noqa: E402
