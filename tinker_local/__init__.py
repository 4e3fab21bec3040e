"""A server of the Tinker training API for one machine: the whole protocol, and a small model that really trains.

    python -m tinker_local --port 8000 --data ./tinker-data

or, inside a process, `tinker.ServiceClient(base_url="local")`, or `LocalServer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinker_local.server import LocalServer

__all__ = ["LocalServer"]


def __getattr__(name: str) -> Any:
    if name != "LocalServer":
        raise AttributeError(f"module 'tinker_local' has no attribute {name!r}")
    from tinker_local.server import LocalServer  # noqa: PLC0415  # imports the server, for seconds' tenths

    return LocalServer
