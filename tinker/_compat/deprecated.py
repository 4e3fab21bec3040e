"""The `*_async` methods of older code, made from the methods that replace them.

sample_async = awaited(sample)                      await client.sample_async(…)     gives a response
optim_step_async = submitted(optim_step)            await client.optim_step_async(…) gives a future
get_info_async = in_thread(get_info)                await client.get_info_async()    gives a value
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")

_Method: TypeAlias = Callable[Concatenate[S, P], T]
_AsyncMethod: TypeAlias = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def awaited(method: _Method[S, P, Awaitable[T]]) -> _AsyncMethod[S, P, T]:
    """A coroutine method that waits for the method's future."""

    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: Awaitable[T] = _replacement(self, method)(*args, **kwargs)
        return await result

    return _named(call, method)


def submitted(method: _Method[S, P, T]) -> _AsyncMethod[S, P, T]:
    """A coroutine method that returns the method's future."""

    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        future: T = _replacement(self, method)(*args, **kwargs)
        return future

    return _named(call, method)


def in_thread(method: _Method[S, P, T]) -> _AsyncMethod[S, P, T]:
    """A coroutine method for one that blocks."""

    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(_replacement(self, method), *args, **kwargs)

    return _named(call, method)


def _replacement(client: object, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method as the client has it, which may be a subclass's own."""
    name = method.__name__
    warnings.warn(
        f"{type(client).__name__}.{name}_async() is deprecated: use {name}().",
        FutureWarning,
        stacklevel=3,
    )
    bound: Callable[..., Any] = getattr(client, name)
    return bound


def _named(call: _AsyncMethod[S, P, T], method: Callable[..., Any]) -> _AsyncMethod[S, P, T]:
    call = wraps(method)(call)
    call.__name__ += "_async"
    call.__qualname__ += "_async"
    call.__doc__ = f"Deprecated: use `{method.__name__}`."
    return call
