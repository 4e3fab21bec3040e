"""The completions feed, when what happens at the same moment happens in an unlucky order."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tinker._protocol.completions_feed import CompletionsFeed
from tinker._protocol.connection import Connection
from tinker.errors import TinkerError
from tinker_api.models import FutureFinished, FuturesRetrieveResponse


class Scripted:
    """A connection whose next response is the test's."""

    def __init__(self) -> None:
        self.polled = asyncio.Event()
        self.response: asyncio.Future[FuturesRetrieveResponse] = asyncio.Future()
        self.acknowledged: list[str] = []

    async def fetch(
        self, request: Any, *args: object, **options: object
    ) -> FuturesRetrieveResponse:
        self.acknowledged += request.body.retrieved_request_ids
        self.polled.set()
        self.response = asyncio.Future()
        return await self.response


@pytest.mark.parametrize("ends", ["is finished", "cannot be known"])
def test_a_sample_is_cancelled_at_the_moment_at_which_it(ends: str) -> None:
    async def scenario() -> list[str]:
        connection = Scripted()
        feed = CompletionsFeed(cast("Connection", connection), "sampler", 0)
        waiting = asyncio.create_task(feed.wait("r"))
        await connection.polled.wait()
        connection.polled.clear()
        if ends == "is finished":
            done = FutureFinished(request_id="r")
            connection.response.set_result(FuturesRetrieveResponse(completions=[done], cursor=1))
        else:
            connection.response.set_exception(TinkerError("the feed has failed"))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        if ends == "is finished":  # the server may drop the result: nobody will ask for it
            closing = asyncio.create_task(feed.close())
            await connection.polled.wait()
            connection.response.set_result(FuturesRetrieveResponse(completions=[], cursor=1))
            await closing
        return connection.acknowledged

    assert asyncio.run(scenario()) == (["r"] if ends == "is finished" else [])


def test_whoever_waits_learns_of_any_end_of_the_feed() -> None:
    async def scenario() -> CompletionsFeed:
        connection = Scripted()
        feed = CompletionsFeed(cast("Connection", connection), "sampler", 0)
        waiting = [asyncio.create_task(feed.wait(name)) for name in ("r", "s")]
        await connection.polled.wait()
        connection.response.set_exception(RuntimeError("unforeseen"))
        assert await asyncio.wait_for(asyncio.gather(*waiting), timeout=10) == [None, None]
        return feed

    assert isinstance(asyncio.run(scenario()).error, RuntimeError)
