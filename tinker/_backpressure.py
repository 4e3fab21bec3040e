"""How fast samples are sent: as fast as the server takes them, in the order in which they were asked for.

A 429 means "later", not "no". It holds back all samples of the session, for what `Retry-After` says or else 1 s,
doubling to 10 s while the server goes on saying so; then the same request is sent again. There is no end to it:
what is waited for is said (see `_progress`).
"""

from __future__ import annotations

import asyncio
import random
import time
from types import TracebackType

from tinker import _retry
from tinker_api.types import Response

MOST_BEING_SENT = 64
"""Requests being sent at once. Those that wait for their results are not counted."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0


class Backpressure:
    """`async with` it to send a sample."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MOST_BEING_SENT)
        self._resume_at = 0.0
        self._pause = _FIRST_PAUSE

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        try:
            await self.pause_is_over()
        except BaseException:
            self._slots.release()
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._slots.release()

    async def pause_is_over(self) -> None:
        while (left := self._resume_at - time.monotonic()) > 0:  # noqa: ASYNC110  # a 429 may move it
            await asyncio.sleep(left)

    def pushed_back(self, response: Response[object]) -> None:
        """The server has answered 429."""
        now = time.monotonic()
        if now < self._resume_at:
            return  # another request has heard the same
        asked = _retry.retry_after(response.headers)
        pause = asked or self._pause * random.uniform(0.75, 1.0)  # noqa: S311
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._resume_at = now + pause

    def taken(self) -> None:
        """The server has taken a sample."""
        self._pause = _FIRST_PAUSE
