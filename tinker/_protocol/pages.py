"""Reads long lists page by page while they change.

The lists of this API are read by offset, newest first. A new item moves all later ones down, so a page repeats items of
the previous one; a deletion moves them up, so a page would skip items. Each page therefore overlaps the previous one by
one item: if that item is not in its place, the list has moved, and reading goes back until it finds a known item. No
item is returned twice.

Items that exist all the time are returned exactly once. Items that come or go in the meantime may be missing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")
Page = Callable[[int, int], Awaitable[Sequence[T]]]
"""Returns items from an offset, at most `limit` of them; fewer only at the end."""


async def pages(fetch: Page[T], key: Callable[[T], Hashable], size: int) -> AsyncIterator[T]:
    """All items of a list; `key` identifies an item."""
    seen: set[Hashable] = set()
    offset = 0
    while True:
        # One item before the position, to see whether the list has moved.
        start = max(offset - 1, 0)
        items = await fetch(start, size)
        if offset > 0 and (not items or key(items[0]) not in seen):
            # An item before the position was deleted: later items may now be before it.
            offset = max(offset - max(size - 1, 1), 0)
            if offset > 0 or items:
                continue
        fresh = [item for item in items if key(item) not in seen]
        for item in fresh:
            seen.add(key(item))
            yield item
        if len(items) < size:
            return
        offset = start + len(items)
