"""One private event loop, in one daemon thread, for all I/O of the process.

This module keeps every operation that runs on it until it ends: closing a client ends its operations, and a forked
process, which has none of the parent's threads, fails those that the parent had under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from tinker.errors import TinkerError

if TYPE_CHECKING:
    from tinker._protocol.progress import Progress
    from tinker._protocol.telemetry import Telemetry

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


class Operation:
    """A submitted coroutine, until it ends. Its methods run only on the loop."""

    __slots__ = ("_telemetry", "cancellable", "future", "owner", "progress", "task")

    def __init__(
        self,
        future: Future[Any],
        owner: object,
        progress: Progress | None,
        telemetry: Telemetry | None,
        cancellable: bool,
    ) -> None:
        self.future = future
        self.owner = owner
        self.progress = progress
        self.cancellable = cancellable
        self.task: asyncio.Task[Any] | None = None
        self._telemetry = telemetry

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        is_cancelled = self.future.cancelled()
        if is_cancelled if self.cancellable else self.future.done() and not is_cancelled:
            _operations.pop(self, None)
            coroutine.close()
            return
        if self._telemetry is not None and self.progress is not None:
            self._telemetry.begun(self.progress)  # in this context, which the task copies
        self.task = asyncio.get_running_loop().create_task(coroutine)
        self.task.add_done_callback(self._finish)
        if self.cancellable:
            self.future.add_done_callback(self._cancel)

    def _finish(self, task: asyncio.Task[Any]) -> None:
        _operations.pop(self, None)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self._telemetry is not None and self.progress is not None:
            self._telemetry.ended(self.progress, None if error else task.result(), error)
        if task.cancelled():
            self.future.cancel()
            return
        try:
            if error is None:
                self.future.set_result(task.result())
            else:
                self.future.set_exception(error)
        except InvalidStateError:
            pass  # cancelled by the caller in the meantime, or failed

    def _cancel(self, future: Future[Any]) -> None:
        """Cancel the task if the caller has cancelled the future, which is done. From any thread."""
        if future.cancelled() and self.task is not None:
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)

    def fail(self, error: Exception) -> None:
        """End it with an error."""
        with contextlib.suppress(InvalidStateError):  # cancelled by the caller
            self.future.set_exception(error)
        if self.task is not None:
            self.task.cancel()


_operations: dict[Operation, None] = {}
_of_the_parent: list[object] = []
"""Coroutines that a forked process inherits and must neither run nor destroy: that would run their `finally` blocks."""


def get() -> asyncio.AbstractEventLoop:
    """The loop, started on first use."""
    global _loop, _thread  # noqa: PLW0603
    if _loop is None:
        with _lock:
            if _loop is None:
                loop = asyncio.new_event_loop()
                _thread = threading.Thread(target=loop.run_forever, name="tinker-io", daemon=True)
                _thread.start()
                _loop = loop
    return _loop


def submit(
    coroutine: Coroutine[Any, Any, T],
    future: Future[T] | None = None,
    *,
    cancellable: bool = False,
    owner: object = None,
    progress: Progress | None = None,
    telemetry: Telemetry | None = None,
) -> Future[T]:
    """Run a coroutine on the loop, from any thread, for `future` or a new one.

    Cancelling the future of a `cancellable` coroutine cancels the coroutine. Others run to their end, because
    later work depends on them, and only their result is dropped; only `Operation.fail` ends them.

    `telemetry` is told when the operation begins and ends.
    """
    future = Future() if future is None else future
    loop = get()
    operation = Operation(future, owner, progress, telemetry, cancellable)
    _operations[operation] = None
    loop.call_soon_threadsafe(operation.start, coroutine)
    return future


def operations(owner: object) -> list[Operation]:
    """The operations of an owner that are under way."""
    return [operation for operation in tuple(_operations) if operation.owner is owner]


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in its own thread, for which the interpreter's exit does not wait.

    With `asyncio.to_thread` it would wait: Ctrl-C would take as long as the function.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    future: asyncio.Future[T] = loop.create_future()

    def settle(settler: Callable[[Any], None], value: object) -> None:
        if not future.done():
            settler(value)

    def run() -> None:
        settler: Callable[[Any], None] = future.set_exception
        value: object
        try:
            value = context.run(function, *args, **kwargs)
            settler = future.set_result
        except StopIteration as error:  # a future cannot hold a StopIteration
            value = RuntimeError(f"{function!r} raised StopIteration")
            value.__cause__ = error
        except BaseException as error:  # noqa: BLE001  # for whoever awaits it
            value = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, settler, value)

    threading.Thread(target=run, name="tinker-worker", daemon=True).start()
    return await future


def is_current_thread() -> bool:
    """Whether the caller runs on the loop's thread, where waiting for its work would deadlock."""
    return threading.current_thread() is _thread


def _begin_anew_after_fork() -> None:
    """A forked child has the parent's loop without its thread: it starts one of its own."""
    global _loop, _thread, _lock  # noqa: PLW0603
    _lock = threading.Lock()
    if _loop is None:
        return
    inherited = tuple(_operations)
    for task in asyncio.all_tasks(_loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # the parent goes on with it
        _of_the_parent.append(task)
    _of_the_parent.extend((_loop, inherited))
    _loop = _thread = None
    _operations.clear()
    for operation in inherited:
        _fail_after_fork(operation)


def _fail_after_fork(operation: Operation) -> None:
    future = operation.future
    # A thread of the parent may have held the lock; waiters and callbacks belong to the parent.
    future._condition = threading.Condition()
    future._done_callbacks.clear()  # type: ignore[attr-defined]
    future._waiters.clear()
    what = operation.progress.name() if operation.progress else "The operation"
    error = TinkerError(
        f"{what} was under way when this process was forked. Its result arrives in the parent process; in this one, "
        "submit it with a client that this process has created."
    )
    with contextlib.suppress(InvalidStateError):  # cancelled by the caller
        future.set_exception(error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
