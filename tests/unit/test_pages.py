"""Lists that change while they are read page by page."""

from __future__ import annotations

import asyncio

from hypothesis import given, strategies as st

from tinker._protocol.pages import pages


@given(
    length=st.integers(0, 40),
    size=st.integers(2, 9),
    changes=st.lists(st.lists(st.one_of(st.none(), st.integers(0, 60)), max_size=4), max_size=60),
)
def test_what_stays_is_given_once_whatever_comes_and_goes(
    length: int, size: int, changes: list[list[int | None]]
) -> None:
    items = [f"item {number}" for number in range(length)]
    stays = set(items)
    pending = iter(changes)
    added = 0

    async def fetch(offset: int, limit: int) -> list[str]:
        nonlocal added
        page = items[offset : offset + limit]
        for change in next(pending, []):
            if change is None:
                items.insert(0, f"new {added}")
                added += 1
            elif items:
                stays.discard(items.pop(change % len(items)))
        return page

    async def read() -> list[str]:
        return [item async for item in pages(fetch, lambda item: item, size)]

    given_items = asyncio.run(read())
    assert len(given_items) == len(set(given_items))
    assert stays <= set(given_items)


def test_a_quiet_list_takes_one_request_a_page() -> None:
    requests = []

    async def fetch(offset: int, limit: int) -> list[int]:
        requests.append((offset, limit))
        return list(range(1000))[offset : offset + limit]

    async def read() -> list[int]:
        return [item async for item in pages(fetch, lambda item: item, 100)]

    assert asyncio.run(read()) == list(range(1000))
    assert len(requests) == 11
