"""Long lists, page by page, that change while they are read.

The lists of this API are read by offset, newest first. What is added moves everything behind it down, so that a
page repeats what the one before it had; what is deleted moves it up, so that a page would skip as much. Each page is
therefore asked for so that it overlaps the one before by one item: if that item is not where it was, the list has
moved, and the reading goes back until it finds an item it knows. Nothing is given twice.

What was there all the time is given exactly once. What came or went in the meantime may be given or not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

T = TypeVar("T")
Page = Callable[[int, int], Awaitable[Sequence[T]]]
"""Items from an offset, at most so many; fewer only at the end."""


async def pages(fetch: Page[T], key: Callable[[T], Hashable], size: int) -> AsyncIterator[T]:
    """All items of a list; `key` tells them apart."""
    seen: set[Hashable] = set()
    offset = 0
    while True:
        # One item before the place, to see whether the list has moved.
        start = max(offset - 1, 0)
        items = await fetch(start, size)
        if offset > 0 and (not items or key(items[0]) not in seen):
            # Something before the place was deleted: what was behind it may be before it now.
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
