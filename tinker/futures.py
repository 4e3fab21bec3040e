"""`APIFuture`: the result of an operation that has been submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

from tinker._protocol import loop
from tinker._protocol.progress import Progress

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

    def result(self, timeout: float | None = None) -> T_co:
        """Wait for the result.

        Args:
            timeout: Seconds to wait; None waits until the operation is done. The operation goes on
                after a timeout, and `result` may be called again.

        Raises:
            TimeoutError: It is not done in time; the message says what it waits for.
            TinkerError: It failed.
        """
        if not self._future.done() and loop.is_current_thread():
            raise RuntimeError(
                "result() would block the thread that it waits for: await the future instead."
            )
        try:
            return Future.result(self._future, timeout)
        except TimeoutError:
            if self._future.done() or self._progress is None:
                raise
            raise TimeoutError(
                f"Not done after {timeout:g} s: {self._progress.describe()}. "
                "It goes on; call result() again to wait longer."
            ) from None

    async def result_async(self, timeout: float | None = None) -> T_co:
        """Wait for the result in an event loop; as `result`, without blocking it."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._awaitable()), timeout)
        except TimeoutError:
            if self._future.done() or self._progress is None:
                raise
            raise TimeoutError(
                f"Not done after {timeout:g} s: {self._progress.describe()}. "
                "It goes on; await it again to wait longer."
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
