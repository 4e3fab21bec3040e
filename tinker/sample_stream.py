"""`SampleStream`: a sample, token by token."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tinker._protocol import loop
from tinker._protocol.progress import Progress
from tinker.futures import APIFuture

if TYPE_CHECKING:
    from tinker._protocol.session import Session
    from tinker._sampling.streaming import Events
    from tinker_api.models import StreamSampleEvent


class SampleStream(Iterator["StreamSampleEvent"], AsyncIterator["StreamSampleEvent"]):
    """The events of a sample, for `for` and for `async for`, in the order in which they come.

    An event has a token (`token_id`, its text `token`, its `logprob`) or marks the end of a sample
    (`finish_reason`, `total_tokens`); `index` is the sample it belongs to. `token` is the text that is
    certain with this token: empty in the middle of a character. The stream is read only as fast as you iterate.

    Leaving the stream by `close`, the end of a `with` block or the last reference cancels the rest of the sample.
    """

    def __init__(self, events: Events, progress: Progress, session: Session) -> None:
        self._events = events
        self._progress = progress
        self._session = session
        self._here: deque[StreamSampleEvent] = deque()
        self._one_at_a_time = asyncio.Lock()
        self._is_over = True  # until it has begun
        self._coming: Future[list[StreamSampleEvent] | None] = self._ask()
        self._is_over = False

    def __repr__(self) -> str:
        return f"<SampleStream {self._progress.name()}>"

    # ---- reading ----------------------------------------------------------------------------

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamSampleEvent:
        while not self._here:
            if self._is_over:
                raise StopIteration
            if loop.is_current_thread():
                raise RuntimeError(
                    "next() would block the thread that it waits for: use `async for`."
                )
            try:
                self._take(self._coming.result())
            except BaseException as error:
                if isinstance(error, CancelledError) and self._is_over:
                    raise StopIteration from None  # closed by another thread
                self.close()
                raise
        return self._here.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamSampleEvent:
        while not self._here:
            if self._is_over:
                raise StopAsyncIteration
            try:
                self._take(await asyncio.wrap_future(self._coming))
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and self._is_over:
                    task = asyncio.current_task()
                    if task is None or not task.cancelling():
                        raise StopAsyncIteration from None  # closed by another task
                self.close()
                raise
        return self._here.popleft()

    def _take(self, events: list[StreamSampleEvent] | None) -> None:
        if events is None:
            self._is_over = True
            return
        self._here.extend(events)
        self._coming = self._ask()

    def _ask(self) -> Future[list[StreamSampleEvent] | None]:
        events, lock = self._events, self._one_at_a_time  # not self, which may be dropped meanwhile

        async def ask() -> list[StreamSampleEvent] | None:
            async with lock:
                return await anext(events, None)

        return APIFuture.start(
            ask(), self._progress, session=self._session, cancellable=True, observed=False
        ).future()

    # ---- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """End the stream: unread events are dropped, and the rest of the sample is cancelled."""
        if self._is_over:
            return
        self._is_over = True
        self._here.clear()
        if not self._session.is_of_this_process:
            return  # the parent ends it
        self._coming.cancel()
        events, lock = self._events, self._one_at_a_time

        async def close() -> None:
            async with lock:
                await events.aclose()

        loop.submit(close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_is_over", True) and not sys.is_finalizing():
            self.close()
