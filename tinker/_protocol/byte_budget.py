"""A limit on the bytes in flight. First come, first served."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteBudget:
    """Used only on the library's event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def has(self, size: int) -> bool:
        """Whether there is room now. A request larger than the limit is in flight alone."""
        return self._used == 0 or self._used + size <= self.limit

    async def take(self, size: int) -> None:
        """Wait in line until the bytes fit, and take them."""
        if not self._waiting and self.has(size):
            self._used += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size)
            else:
                self._let_in()  # it may have blocked others
            raise

    def release(self, size: int) -> None:
        self._used -= size
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if not self.has(size):
                    return
                self._used += size
                turn.set_result(None)
            self._waiting.popleft()
