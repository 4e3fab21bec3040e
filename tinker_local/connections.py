"""Limits on connections: their number, and the time to send a request."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tinker._codec import media_types
from tinker_local.options import Options

try:
    import resource
except ImportError:  # not on Windows, which has no such limit either
    resource = None  # type: ignore[assignment]

_OTHER_FILES = 64
"""Number of open files besides connections."""


def raise_file_limit() -> None:
    """Raise this process's limit on open files as far as allowed."""
    if resource is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _max_connections(options: Options) -> int:
    if resource is None:
        return options.max_connections
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return options.max_connections
    return max(1, min(options.max_connections, soft - _OTHER_FILES))


def protocol(options: Options) -> type[HttpToolsProtocol]:
    """uvicorn's protocol with these limits."""
    most = _max_connections(options)

    class Protocol(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _refused = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > most:
                self._refused = True
                self._end(503, f"The server has {most} connections, its maximum")
            else:
                self._wait()

        def data_received(self, data: bytes) -> None:
            if not self._refused:
                super().data_received(data)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            if self._timer is None:
                self._wait()

        def on_headers_complete(self) -> None:
            self._cancel()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel()
            super().connection_lost(exc)

        def _wait(self) -> None:
            """Close a connection whose request head does not arrive in time."""
            self._timer = self.loop.call_later(options.receive_seconds, self._give_up)

        def _cancel(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self) -> None:
            self._timer = None
            self._refused = True
            self._end(408, f"No complete request arrived within {options.receive_seconds:g} s")

        def _end(self, status: int, detail: str) -> None:
            content = orjson.dumps({"detail": detail})
            head: dict[str, Any] = {
                "content-type": media_types.JSON,
                "content-length": len(content),
                "retry-after": 1,
                "connection": "close",
            }
            lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in head.items())]
            self.transport.write("\r\n".join([*lines, "", ""]).encode() + content)
            self.transport.close()

    return Protocol
