from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class Cursor(Schema):
    """Position of a page in its list."""

    offset: int
    """ Number of items before the page. """

    limit: int
    """ Maximum number of items on the page. """

    total_count: int
    """ Number of items in the list. """

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
            src["offset"],
            src["limit"],
            src["total_count"],
        )
