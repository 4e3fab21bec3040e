"""Handles operations that a server rejects because it waits for an earlier number.

Some servers do not count an operation that failed. To them every later number is out of turn: they reject it, without
any effect, until the missing number is used. The client then uses it up with an operation that changes nothing, and sends
the rejected operations again under their own numbers, in order.
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
    """The missed turns of one training run. `use_up(seq_id)` sends an operation that changes nothing."""

    def __init__(self, use_up: Callable[[int], Awaitable[None]]) -> None:
        self._use_up = use_up
        self._ended: dict[int, asyncio.Future[None]] = {}
        """By seq_id, for each operation that waits for its result."""

    async def result(
        self,
        seq_id: int,
        promise: UntypedAPIFuture,
        wait: Callable[[UntypedAPIFuture], Awaitable[T]],
        submit: Callable[[int], Awaitable[UntypedAPIFuture]],
    ) -> T:
        """The result of a promise, or of the promise that `submit` returns when its turn has come."""
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
