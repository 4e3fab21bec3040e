"""A server of raw bytes for tests of the transport: what it does with a connection is the test's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's end of one connection."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        """How many connections came before it."""
        self.reader, self.writer = reader, writer

    async def request(self) -> tuple[bytes, bytes]:
        """Head and body of the next request; raises IncompleteReadError if there is none."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return head, await self.reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Close the connection by RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


class RawServer:
    def __init__(self, handler: Handler) -> None:
        self.connections = 0
        self.url = ""
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    async def _handle(self, peer: Peer) -> None:
        await self._handler(peer)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(self.connections, reader, writer)
        self.connections += 1
        task: asyncio.Task[None] = asyncio.create_task(self._handle(peer))
        self._tasks.add(task)
        try:
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
            ):
                await task
        finally:
            writer.close()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def serve(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Serve while the block runs. A handler's connection is closed when it returns."""
    server = RawServer(handler)
    listening = await asyncio.start_server(server.accept, host, 0, ssl=tls, backlog=1000)
    port = listening.sockets[0].getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    server.url = f"{'https' if tls else 'http'}://{name}:{port}/"
    try:
        yield server
    finally:
        server.stop()
        listening.close()
