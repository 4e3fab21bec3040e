"""One private event loop, in one daemon thread, for all I/O of the process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_running: set[asyncio.Task[Any]] = set()  # the loop itself keeps only weak references


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
    coroutine: Coroutine[Any, Any, T], future: Future[T] | None = None, *, cancellable: bool = False
) -> Future[T]:
    """Run a coroutine on the loop, from any thread, for `future` or a new one.

    Cancelling the future of a `cancellable` coroutine cancels it. Others run to their end, because
    later work depends on them, and only their result is dropped.
    """
    future = Future() if future is None else future
    loop = get()

    def start() -> None:
        if cancellable and future.cancelled():
            coroutine.close()
            return
        task = loop.create_task(coroutine)
        _running.add(task)
        task.add_done_callback(finish)
        if cancellable:
            future.add_done_callback(
                lambda f: loop.call_soon_threadsafe(task.cancel) if f.cancelled() else None
            )

    def finish(task: asyncio.Task[T]) -> None:
        _running.discard(task)
        if task.cancelled():
            future.cancel()
            return
        error = task.exception()
        try:
            if error is None:
                future.set_result(task.result())
            else:
                future.set_exception(error)
        except InvalidStateError:
            pass  # cancelled by the caller in the meantime

    loop.call_soon_threadsafe(start)
    return future


def is_current_thread() -> bool:
    """Whether the caller runs on the loop's thread, where waiting for its work would deadlock."""
    return threading.current_thread() is _thread


def _forget_after_fork() -> None:
    """A forked child has the parent's loop without its thread: it starts one of its own."""
    global _loop, _thread, _lock  # noqa: PLW0603
    _loop = _thread = None
    _running.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
