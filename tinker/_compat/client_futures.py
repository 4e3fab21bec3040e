"""Futures of clients that can be used as the clients themselves, for code older than these futures."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, Self, TypeVar

from tinker.futures import APIFuture

C = TypeVar("C")


class BackcompatClientFuture(APIFuture[C]):
    """An `APIFuture` of a client that also has the client's methods and attributes; using one waits for the client.

    Using it as the client is deprecated: call `result()` or await it first.
    """

    def __init_subclass__(cls) -> None:
        """Forward the attributes that the client's class has and `APIFuture` lacks."""
        client_class = cls.__bases__[-1]
        for name in dir(client_class):
            method = inspect.getattr_static(client_class, name)
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(cls, name, _forward(name, method))

    @classmethod
    def of(cls, future: APIFuture[C]) -> Self:
        return cls(future.future(), future.progress)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._client(name), name)

    def _client(self, used: str) -> C:
        self._warn(used, stacklevel=4)
        return self.result()

    def _warn(self, used: str, stacklevel: int) -> None:
        warnings.warn(
            f"Using .{used} of the future of a client is deprecated: "
            "call .result() on the future, or await it, to get the client.",
            FutureWarning,
            stacklevel=stacklevel,
        )


def _forward(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: BackcompatClientFuture[Any], *args: Any, **kwargs: Any) -> Any:
        return getattr(self._client(name), name)(*args, **kwargs)

    @wraps(method)
    def call_async(self: BackcompatClientFuture[Any], *args: Any, **kwargs: Any) -> Any:
        self._warn(name, stacklevel=3)

        async def wait() -> Any:
            client = await self
            own = getattr(client, name)
            quiet = getattr(own, "quiet", None)  # one warning is enough
            return await (own(*args, **kwargs) if quiet is None else quiet(client, *args, **kwargs))

        return wait()

    return call_async if inspect.iscoroutinefunction(method) else call
