"""Shared functions of lists. A page is a part of the list at the time of the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinker_local.state.store import Row, Store


def page(store: Store, asked: Mapping[str, Any], query: str, *values: Any) -> list[Row]:
    """The rows that `offset` and `limit` select; without a limit, all after the offset."""
    limit = asked.get("limit", -1)  # SQLite takes a negative limit as no limit
    return store.select(f"{query} LIMIT ? OFFSET ?", *values, limit, asked["offset"])


def cursor(
    store: Store, asked: Mapping[str, Any], query: str, *values: Any
) -> dict[str, int] | None:
    """The cursor of that page; None without a limit."""
    if "limit" not in asked:
        return None
    (total,) = store.select(f"SELECT count(*) AS count FROM ({query})", *values)
    return {"offset": asked["offset"], "limit": asked["limit"], "total_count": total["count"]}


def owner_urn(user: str) -> str:
    """The URN of a user."""
    return f"tml:organization_user:{user}"
