"""What listings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def page(items: Sequence[T], query: Mapping[str, Any]) -> Sequence[T]:
    """The part of a list that `offset` and `limit` name; without a limit, all behind the offset."""
    offset, limit = query["offset"], query.get("limit")
    return items[offset:] if limit is None else items[offset : offset + limit]


def cursor(items: Sequence[Any], query: Mapping[str, Any]) -> dict[str, int] | None:
    """Where that part is; None if no limit was given."""
    if query.get("limit") is None:
        return None
    return {"offset": query["offset"], "limit": query["limit"], "total_count": len(items)}


def owner_urn(user: str) -> str:
    """A user as the API names one."""
    return f"tml:organization_user:{user}"
