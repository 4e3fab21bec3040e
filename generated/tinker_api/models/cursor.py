from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen
class Cursor(Schema):
    """Where a page is in its list."""

    offset: int
    """ How many came before. """

    limit: int
    """ How many at the most. """

    total_count: int
    """ How many there are. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "offset": self.offset,
            "limit": self.limit,
            "total_count": self.total_count,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            offset=src["offset"],
            limit=src["limit"],
            total_count=src["total_count"],
        )
