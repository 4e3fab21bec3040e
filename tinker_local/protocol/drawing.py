"""Samples while they are drawn: each token from the engine, then the whole result."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import orjson
from attrs import frozen
from starlette.responses import StreamingResponse

from tinker._codec.media_types import EVENT_STREAM
from tinker_local.errors import OperationFailed
from tinker_local.protocol.backend import Backend
from tinker_local.protocol.wire import results
from tinker_local.state.store import DONE, FAILED


@frozen
class Token:
    index: int
    """Of the sample it belongs to."""
    id: int
    logprob: float


class Drawing:
    """One promised sample.

    Args:
        backend: The backend that draws it.
        request_id: The id of its promise.
        promise: Makes the promise and returns the base model; called at once, after this object listens for tokens.
    """

    def __init__(self, backend: Backend, request_id: str, promise: Callable[[], str]) -> None:
        self._backend = backend
        self._id = request_id
        self._drawn: asyncio.Queue[Token | None] = asyncio.Queue()
        self.result: dict[str, Any] = {}
        """The sample as JSON, once `tokens` has ended."""
        loop = asyncio.get_running_loop()

        def listener(index: int, token: int, logprob: float) -> None:  # on the engine's thread
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server is going down
                loop.call_soon_threadsafe(self._drawn.put_nowait, Token(index, token, logprob))

        backend.operations.listeners[request_id] = listener
        try:
            self.base_model = promise()
        except BaseException:
            del backend.operations.listeners[request_id]
            raise

    def withdraw(self) -> None:
        """Listen no more, and do not draw it if it has not begun."""
        self._backend.operations.listeners.pop(self._id, None)
        if (request := self._backend.store.request(self._id)) is not None:
            self._backend.cancel(request, "The reader of the stream is gone")

    async def tokens(self) -> AsyncGenerator[Token, None]:
        """Each token, in the order of its sample. Closing the iterator withdraws the sample.

        Raises:
            OperationFailed: The sample failed.
        """
        store = self._backend.store
        told: Counter[int] = Counter()
        done = asyncio.create_task(self._backend.scheduler.wait(self._id, math.inf))
        done.add_done_callback(lambda _: self._drawn.put_nowait(None))
        try:
            while (token := await self._drawn.get()) is not None:
                told[token.index] += 1
                yield token
                await asyncio.sleep(0)  # to notice that the reader is gone
            settled = store.request(self._id)
            assert settled is not None
            if settled.state == FAILED:
                failure = orjson.loads(store.result(self._id))
                raise OperationFailed(failure["error"], failure["category"])
            if settled.state != DONE:
                raise OperationFailed("The result is no longer kept")
            result = store.result(self._id)
            self.result = orjson.loads(results.sample_to_json(result))
            for index, sequence in enumerate(self.result["sequences"]):
                # Tokens drawn before anybody listened: of a repeated request, or of one that continues after a crash.
                rest = zip(sequence["tokens"], sequence["logprobs"], strict=True)
                for token_id, logprob in list(rest)[told[index] :]:
                    yield Token(index, token_id, logprob)
        finally:
            done.cancel()
            self.withdraw()


def event_stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """A stream of server-sent events."""
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(events, media_type=EVENT_STREAM, headers=headers)
