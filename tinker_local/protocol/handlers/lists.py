"""What listings share. A page is cut from the list as it is at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinker_local.state.store import Row, Store


def page(store: Store, asked: Mapping[str, Any], query: str, *values: Any) -> list[Row]:
    """The rows that `offset` and `limit` name; without a limit, all behind the offset."""
    limit = asked.get("limit", -1)  # SQLite takes a negative one as none
    return store.select(f"{query} LIMIT ? OFFSET ?", *values, limit, asked["offset"])


def cursor(
    store: Store, asked: Mapping[str, Any], query: str, *values: Any
) -> dict[str, int] | None:
    """Where that page is; None if no limit was given."""
    if "limit" not in asked:
        return None
    (total,) = store.select(f"SELECT count(*) AS count FROM ({query})", *values)
    return {"offset": asked["offset"], "limit": asked["limit"], "total_count": total["count"]}


def owner_urn(user: str) -> str:
    """A user as the API names one."""
    return f"tml:organization_user:{user}"
