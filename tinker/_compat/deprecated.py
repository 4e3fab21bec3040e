"""The `*_async` methods of older code, made from the methods that replace them.

sample_async = awaited(sample)                      await client.sample_async(…)     gives a response
optim_step_async = submitted(optim_step)            await client.optim_step_async(…) gives a future
get_info_async = in_thread(get_info)                await client.get_info_async()    gives a value
"""

from __future__ import annotations

import asyncio
import inspect
import sys
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

    async def call(bound: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return await bound(*args, **kwargs)

    return _deprecated(method, call)


def submitted(method: _Method[S, P, T]) -> _AsyncMethod[S, P, T]:
    """A coroutine method that returns the method's future."""

    async def call(bound: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return bound(*args, **kwargs)

    return _deprecated(method, call)


def in_thread(method: _Method[S, P, T]) -> _AsyncMethod[S, P, T]:
    """A coroutine method that runs a blocking method in a thread."""

    async def call(bound: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(bound, *args, **kwargs)

    return _deprecated(method, call)


def _deprecated(method: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """The method with the suffix `_async`; it warns at the caller's line."""
    name = method.__name__

    def quiet(self: object, /, *args: Any, **kwargs: Any) -> Any:
        return call(getattr(self, name), *args, **kwargs)  # a subclass may have its own

    def warn(self: object) -> None:
        warnings.warn(
            f"{type(self).__name__}.{name}_async() is deprecated: use {name}().",
            FutureWarning,
            stacklevel=3,
        )

    @wraps(method)
    def deprecated(self: object, /, *args: Any, **kwargs: Any) -> Any:
        warn(self)
        return quiet(self, *args, **kwargs)

    _mark_coroutine_function(deprecated)
    deprecated.__name__ += "_async"
    deprecated.__qualname__ += "_async"
    deprecated.__doc__ = f"Deprecated: use `{name}`."
    vars(deprecated)["quiet"] = quiet
    return deprecated


def is_deprecated(method: object) -> bool:
    """Whether it was made by this module."""
    return hasattr(method, "quiet")


def _mark_coroutine_function(function: Any) -> None:
    """Have `inspect` take it for an `async def`, which would warn only when it is awaited: in asyncio, perhaps."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:  # inspect goes by this flag, and the interpreter by the function's first instruction
        code = function.__code__
        function.__code__ = code.replace(co_flags=code.co_flags | inspect.CO_COROUTINE)
