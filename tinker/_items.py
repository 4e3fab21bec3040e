"""Long lists, read page by page as one iterates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol, TypeVar

from tinker.futures import APIFuture
from tinker_api.model import Model

T = TypeVar("T")


class Items(Iterator[T], AsyncIterator[T]):
    """A long list, for `for` and for `async for`; its pages are read as you iterate."""

    def __init__(self, begin: Callable[[], AsyncIterator[T]]) -> None:
        self._begin = begin
        self._items: AsyncIterator[T] | None = None

    def _next(self) -> APIFuture[tuple[T] | None]:
        if self._items is None:
            self._items = self._begin()
        items = self._items

        async def one() -> tuple[T] | None:
            async for item in items:
                return (item,)
            return None

        return APIFuture.start(one())

    def __next__(self) -> T:
        found = self._next().result()
        if found is None:
            raise StopIteration
        return found[0]

    async def __anext__(self) -> T:
        found = await self._next()
        if found is None:
            raise StopAsyncIteration
        return found[0]


class _SearchPage(Protocol):
    @property
    def next_cursor(self) -> object: ...


_Search = TypeVar("_Search", bound=Model)
_Page = TypeVar("_Page", bound=_SearchPage)


async def by_cursor(
    search: Callable[[_Search], APIFuture[_Page]],
    request: _Search,
    items: Callable[[_Page], list[T]],
) -> AsyncIterator[T]:
    """The results of a search, page after page."""
    while True:
        page = await search(request)
        for item in items(page):
            yield item
        if page.next_cursor is None:
            return
        request = request.model_copy(update={"cursor": page.next_cursor})
