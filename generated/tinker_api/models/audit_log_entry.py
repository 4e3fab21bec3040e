from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen
class AuditLogEntry(Schema):
    """Something that was done."""

    timestamp: datetime.datetime
    """ When. """

    event: str
    """ What; a free word. """

    event_details: AuditEventDetails = _attrs_field(factory=lambda: AuditEventDetails())
    """ What belongs to an event. """

    model_id: None | str = None
    """ On which training run. """

    tinker_path: None | str = None
    """ On which checkpoint. """

    purpose: None | str = None
    """ What for. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "timestamp": self.timestamp.isoformat(),
            "event": self.event,
        }
        if self.event_details:
            result["event_details"] = self.event_details
        if self.model_id is not None:
            result["model_id"] = self.model_id
        if self.tinker_path is not None:
            result["tinker_path"] = self.tinker_path
        if self.purpose is not None:
            result["purpose"] = self.purpose
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        event_details = src.get("event_details")
        model_id = src.get("model_id")
        tinker_path = src.get("tinker_path")
        purpose = src.get("purpose")
        return cls(
            timestamp=parse_time(src["timestamp"]),
            event=src["event"],
            event_details=AuditEventDetails()
            if event_details is None
            else AuditEventDetails.from_dict(event_details),
            model_id=model_id,
            tinker_path=tinker_path,
            purpose=purpose,
        )


from ..models.audit_event_details import AuditEventDetails  # noqa: E402
