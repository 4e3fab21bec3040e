"""Operations that a server refuses because it has not come to their number.

Some servers do not count an operation that failed. To them every later number is out of turn: they refuse it, without
any effect, until the missing one is used. So it is used up, by something that changes nothing, and what was refused is
sent again under its own number, the earlier before the later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tinker._protocol.server_traits import expected_seq_id
from tinker.errors import RequestFailedError
from tinker_api.models import UntypedAPIFuture

T = TypeVar("T")


class MissedTurns:
    """Of one training run. `use_up(seq_id)` sends what changes nothing."""

    def __init__(self, use_up: Callable[[int], Awaitable[None]]) -> None:
        self._use_up = use_up
        self._ended: dict[int, asyncio.Future[None]] = {}
        """By seq_id, for each operation whose result is waited for."""

    async def result(
        self,
        seq_id: int,
        promise: UntypedAPIFuture,
        wait: Callable[[UntypedAPIFuture], Awaitable[T]],
        submit: Callable[[int], Awaitable[UntypedAPIFuture]],
    ) -> T:
        """The result of a promise, or of what `submit` is promised when its turn has come."""
        ended = self._ended[seq_id] = asyncio.get_running_loop().create_future()
        try:
            try:
                return await wait(promise)
            except RequestFailedError as error:
                if expected_seq_id(error.message) is None:
                    raise
            earlier = [future for number, future in self._ended.items() if number < seq_id]
            if earlier:
                await asyncio.wait(earlier)
            try:
                return await wait(await submit(seq_id))
            except RequestFailedError as error:
                expected = expected_seq_id(error.message)
                if expected is None or expected >= seq_id:
                    raise
            for unused in range(expected, seq_id):
                await self._use_up(unused)
            return await wait(await submit(seq_id))
        finally:
            del self._ended[seq_id]
            ended.set_result(None)
