"""What the clients of one `ServiceClient` share, and what it tells of itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from tinker._compat.deprecated import is_deprecated

if TYPE_CHECKING:
    from tinker._protocol.session import Session
    from tinker.client_stats import ClientStats
    from tinker.events import Observer


class HasHolder:
    """A client with a `session`."""

    session: Session
    """The connection and the session, shared with other clients."""

    def __init_subclass__(cls) -> None:
        """Move the deprecated methods into a base of their own, so that `help()` lists them last, under that name."""
        names = {name: one for name, one in vars(cls).items() if is_deprecated(one)}
        if names:
            for name in names:
                delattr(cls, name)
            base = type("Deprecated", (), {**names, "__module__": cls.__module__})
            cls.__bases__ = (*cls.__bases__, base)

    def __dir__(self) -> list[str]:
        """Without the deprecated methods, so that completion proposes those that replace them."""
        names = super().__dir__()
        return [n for n in names if not is_deprecated(inspect.getattr_static(type(self), n, None))]

    @property
    def holder(self) -> Session:
        """The same as `session`, by the official SDK's name."""
        return self.session

    def stats(self) -> ClientStats:
        """What the clients of this `ServiceClient` have done so far: counters and latencies; see `tinker.ClientStats`."""
        traits = self.session.traits
        return self.session.telemetry.recorder.stats(traits.training_encoding)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call a function with each event of the clients of this `ServiceClient`; see `tinker.events`.

        Args:
            observer: A function of one event. It is called on the library's own thread, and must not wait. What it
                raises is logged once, and harms nothing.

        Returns:
            A function that ends it.

        Raises:
            TypeError: `observer` is not a function, or a coroutine function.
        """
        return self.session.telemetry.observe(observer)
