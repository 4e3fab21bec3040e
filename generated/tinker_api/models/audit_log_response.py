from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class AuditLogResponse(Schema):
    """Entries of the audit log."""

    entries: list[AuditLogEntry]
    """ The entries, oldest first. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "entries": [item.to_dict() for item in self.entries],
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            [AuditLogEntry.from_dict(item) for item in src["entries"]],
        )


from ..models.audit_log_entry import AuditLogEntry  # noqa: E402
