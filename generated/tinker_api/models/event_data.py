from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class EventData(dict[str, Any]):
    """Details of a generic event. Never contains a credential."""

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
