from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class AuditLogEntry(Schema):
    """An entry of the audit log."""

    timestamp: datetime.datetime
    """ When the event happened. """

    event: str
    """ Name of the event; any string. """

    event_details: AuditEventDetails = _attrs_field(factory=lambda: AuditEventDetails())
    """ Details of an audited event. """

    model_id: None | str = None
    """ Id of the training run that it concerns. """

    tinker_path: None | str = None
    """ Tinker path of the checkpoint that it concerns. """

    purpose: None | str = None
    """ Purpose of the access. """

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
            parse_time(src["timestamp"]),
            src["event"],
            AuditEventDetails()
            if event_details is None
            else AuditEventDetails.from_dict(event_details),
            model_id,
            tinker_path,
            purpose,
        )


from ..models.audit_event_details import AuditEventDetails  # noqa: E402
