"""`APIFuture`: the result of an operation that has been submitted."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Generator, Iterable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

from tinker._protocol import loop
from tinker._protocol.progress import Progress
from tinker._protocol.progress_line import INTERVAL, ProgressLine, duration

if TYPE_CHECKING:
    from tinker._protocol.session import Session

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class APIFuture(Generic[T_co]):
    """The result of an operation that has been submitted, for sync and async callers.

    The operation runs whether or not anyone waits. Wait with `result()` in a thread or with `await`
    in any event loop, as often as you like: the outcome is kept.
    """

    __slots__ = ("_cancellable", "_future", "_progress")

    def __init__(
        self, future: Future[T_co], progress: Progress | None = None, *, cancellable: bool = False
    ) -> None:
        self._future = future
        self._progress = progress
        self._cancellable = cancellable

    @classmethod
    def start(
        cls,
        coroutine: Coroutine[Any, Any, T_co],
        progress: Progress | None = None,
        *,
        session: Session | None = None,
        cancellable: bool = False,
        observed: bool = True,
    ) -> Self:
        """Run a coroutine on the library's own event loop.

        Args:
            coroutine: The operation.
            progress: Describes it.
            session: Its session; closing the session ends the operation.
            cancellable: Whether cancelling its future cancels it; otherwise it goes on.
            observed: Whether it is an operation of its own for statistics and observers.

        Raises:
            TinkerError: The session is closed, or belongs to another process.
        """
        future = _submit(coroutine, None, progress, session, cancellable, observed)
        return cls(future, progress, cancellable=cancellable)

    def result(self, timeout: float | None = None, *, progress: bool = False) -> T_co:
        """Wait for the result.

        Args:
            timeout: Seconds to wait; None waits until the operation is done. The operation goes on
                after a timeout, and `result` may be called again.
            progress: Show on stderr, if that is a terminal, what is waited for, since when and how long still.

        Raises:
            TimeoutError: It is not done in time; the message says what it waits for.
            TinkerError: It failed.
        """
        end = _end(timeout)
        self._check_thread()
        if progress:
            _show_until_done([self], timeout)
        return self._until(end, timeout)

    async def result_async(self, timeout: float | None = None) -> T_co:
        """Wait for the result in an event loop; as `result`, without blocking it."""
        return await self._awaited_until(_end(timeout), timeout)

    def _check_thread(self) -> None:
        if not self._future.done() and loop.is_current_thread():
            raise RuntimeError(
                "result() would block the thread that it waits for: await the future instead."
            )

    def _until(self, end: float | None, timeout: float | None) -> T_co:
        """Wait until a time of `time.monotonic`, which is `timeout` seconds after the caller began to wait."""
        self._check_thread()
        try:
            return Future.result(self._future, _left(end))
        except TimeoutError:
            self._raise_if_late(timeout)
            raise

    async def _awaited_until(self, end: float | None, timeout: float | None) -> T_co:
        # If it is done, its `await` would take a round of the loop, and no time may be left.
        if self._future.cancelled():
            raise asyncio.CancelledError
        if self._future.done():
            return Future.result(self._future)
        try:
            return await asyncio.wait_for(asyncio.shield(self._awaitable()), _left(end))
        except TimeoutError:
            self._raise_if_late(timeout)
            raise

    def _raise_if_late(self, timeout: float | None) -> None:
        """Say what is waited for, unless the operation itself has failed with a TimeoutError."""
        if timeout is not None and self._progress is not None and not self._future.done():
            raise TimeoutError(
                f"Not done after {timeout:g} s: {self._progress.describe()}. "
                "It goes on; wait for it again to have its result."
            ) from None

    def __await__(self) -> Generator[Any, None, T_co]:
        return self._awaitable().__await__()

    def _awaitable(self) -> asyncio.Future[T_co]:
        waiter = asyncio.wrap_future(self._future)
        return waiter if self._cancellable else asyncio.shield(waiter)

    async def coroutine(self) -> T_co:
        """The result as a coroutine, for functions that accept only coroutines."""
        return await self

    def future(self) -> Future[T_co]:
        """The `concurrent.futures.Future` underneath, for `as_completed`, callbacks and `cancel`."""
        return self._future

    @property
    def progress(self) -> Progress | None:
        """What the operation is doing, its seq_ids and request_ids, and since when."""
        return self._progress

    def __repr__(self) -> str:
        what = self._progress.name() if self._progress else "operation"
        if not self._future.done():
            state = self._progress.doing if self._progress else "running"
        elif self._future.cancelled():
            state = "cancelled"
        else:
            state = "failed" if self._future.exception() else "done"
        return f"<APIFuture {what}: {state}>"


AwaitableConcurrentFuture: TypeAlias = APIFuture


def results(
    futures: Iterable[APIFuture[T]], timeout: float | None = None, *, progress: bool = False
) -> list[T]:
    """Wait for the results of many operations, such as a batch of samples; in the order of `futures`.

        params = tinker.SamplingParams(max_tokens=4)
        samples = tinker.results([client.sample(prompt, 1, params) for _ in range(8)], progress=True)

    Args:
        futures: What to wait for.
        timeout: Seconds to wait for all of them.
        progress: Show on stderr, if that is a terminal, how many are done, the time left at this pace, and what the
            server's queue waits for.

    Raises:
        TimeoutError: They are not done in time; the message says what the first of them waits for. All go on.
        TinkerError: One has failed: the first one in the order of `futures`.
    """
    waited_for, end = _all(futures), _end(timeout)
    if progress:
        _show_until_done(waited_for, timeout)
    return [one._until(end, timeout) for one in waited_for]


async def results_async(
    futures: Iterable[APIFuture[T]], timeout: float | None = None, *, progress: bool = False
) -> list[T]:
    """As `results`, without blocking the event loop.

        async def sample() -> list[tinker.SampleResponse]:
            params = tinker.SamplingParams(max_tokens=4)
            futures = [client.sample(prompt, 1, params) for _ in range(8)]
            return await tinker.results_async(futures, progress=True)

    Args:
        futures: What to wait for. They go on if this coroutine is cancelled.
        timeout: Seconds to wait for all of them.
        progress: Show a line on stderr, as `results` does.

    Raises:
        TimeoutError: They are not done in time; the message says what the first of them waits for. All go on.
        TinkerError: One has failed: the first one in the order of `futures`.
    """
    waited_for, end, line = _all(futures), _end(timeout), ProgressLine()

    async def in_order() -> list[T]:
        return [await one._awaited_until(end, timeout) for one in waited_for]

    waiting = asyncio.ensure_future(in_order())
    try:
        while progress and line.is_seen and not waiting.done():
            await asyncio.wait([waiting], timeout=INTERVAL)
            done = sum(one.future().done() for one in waited_for)
            line.show(partial(_how_far, waited_for, done, line, math.inf if end is None else end))
        return await waiting
    finally:
        waiting.cancel()
        line.close()


def _all(futures: Iterable[APIFuture[T]]) -> list[APIFuture[T]]:
    found = list(futures)
    for place, one in enumerate(found):
        if not isinstance(one, APIFuture):
            raise TypeError(f"futures[{place}] is {one!r}; it must be an APIFuture.")
    return found


def _end(timeout: float | None) -> float | None:
    try:
        return None if timeout is None else time.monotonic() + timeout
    except TypeError:
        raise TypeError(
            f"timeout is {timeout!r}; it must be a number of seconds, or None."
        ) from None


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())


def _show_until_done(futures: Sequence[APIFuture[Any]], timeout: float | None) -> None:
    """Show a line while they are waited for, until the first failure at the latest. From a thread that may wait."""
    line, total = ProgressLine(), len(futures)
    end = math.inf if timeout is None else time.monotonic() + timeout
    pending = [one.future() for one in futures]
    try:
        while line.is_seen:
            done, _ = wait(pending[:1], min(INTERVAL, max(0.0, end - time.monotonic())))
            if any(one.cancelled() or one.exception() is not None for one in done):
                return
            pending = [one for one in pending if not one.done()]
            if not pending or time.monotonic() >= end:
                return
            line.show(partial(_how_far, futures, total - len(pending), line, end))
    finally:
        line.close()


def _how_far(futures: Sequence[APIFuture[Any]], done: int, line: ProgressLine, end: float) -> str:
    """The text of the line."""
    left = f", gives up in {duration(end - time.monotonic())}" if end < math.inf else ""
    waiting = [one.progress for one in futures if not one.future().done() and one.progress]
    if len(futures) == 1 and waiting:
        one = waiting[0]
        return f"{one.operation}, {duration(one.waited)}: {one.queue or one.doing}{left}"
    queue = next((one.queue for one in waiting if one.queue), None)
    why = f"; the server says: {queue}" if queue else ""
    return f"{done:,} of {len(futures):,} done{line.left(done, len(futures))}{left}{why}"


class SampleFuture(APIFuture[T], Future[T]):
    """The result of a sample: an `APIFuture` that is a `concurrent.futures.Future` too, as older code expects.

    So `concurrent.futures.as_completed`, `done()`, `add_done_callback(…)` and `cancel()` accept it as it is.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        Future.__init__(self)
        self._progress = progress
        self._cancellable = True

    @property
    def _future(self) -> Future[T]:  # type: ignore[override]
        return self

    @classmethod
    def start(
        cls,
        coroutine: Coroutine[Any, Any, T],
        progress: Progress | None = None,
        *,
        session: Session | None = None,
        cancellable: bool = True,
        observed: bool = True,
    ) -> Self:
        """As `APIFuture.start`; always cancellable."""
        future = cls(progress)
        _submit(coroutine, future, progress, session, cancellable, observed)
        return future


def _submit(
    coroutine: Coroutine[Any, Any, T],
    future: Future[T] | None,
    progress: Progress | None,
    session: Session | None,
    cancellable: bool,
    observed: bool = True,
) -> Future[T]:
    try:
        if session is not None:
            session.check_open()
        return loop.submit(
            coroutine,
            future,
            cancellable=cancellable,
            owner=session,
            progress=progress,
            telemetry=session.telemetry if session is not None and observed else None,
        )
    except BaseException:  # a Ctrl-C among them
        coroutine.close()
        raise
