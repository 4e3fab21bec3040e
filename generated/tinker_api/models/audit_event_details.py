from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class AuditEventDetails(dict[str, Any]):
    """Details of an audited event."""

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
