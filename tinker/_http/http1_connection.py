"""One HTTP/1.1 connection: requests go out one at a time, and httptools parses what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol, cast

import httptools
import httpx

from tinker._http.sse import EVENT_STREAM

_PIECE = 512 * 1024
"""Bytes of a body written at once; the event loop copies what the peer has not read."""
_AHEAD = 256 * 1024
"""Bytes of a stream that are buffered for a slow reader before reading pauses."""
_STREAMED = EVENT_STREAM.encode()

SocketOption = tuple[int, int, int]
Timeouts = dict[str, float | None]


class Pool(Protocol):
    """What a connection is one of."""

    socket_options: tuple[SocketOption, ...]
    open: set[Connection]

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request."""

    def forget(self, connection: Connection) -> None:
        """Forget a lost connection."""


class Connection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self, pool: Pool) -> None:
        self.idle_since = 0.0
        self.has_received = False
        """Whether any byte has arrived since the request began."""
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._writable: asyncio.Future[None] | None = None
        """Set while the peer is slow to read."""
        self._expecting = False
        """Whether a response, or the rest of it, is expected."""
        self._sending = False
        self._response: asyncio.Future[httpx.Response] | None = None
        self._stream: _Stream | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_timeout: float | None = None
        self._last_read = 0.0
        self._begin_response()

    def _begin_response(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._until_closed = False
        """Whether the body has no length, so that the end of the connection ends it."""

    # ---- one exchange -----------------------------------------------------------------------

    async def exchange(self, head: bytes, body: bytes, timeouts: Timeouts) -> httpx.Response:
        """Send a request and return its response; the body of a stream is still to come."""
        response: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        self._response = response
        self._begin_response()
        self._expecting, self.has_received = True, False
        try:
            await self._send(head, body, timeouts.get("write"))
            if self._expecting:
                self._read_timeout = timeouts.get("read")
                self._watch()
            return await response
        except BaseException:
            # Also after a cancellation, because the state of the connection is unknown. If the response has arrived by
            # then, the connection may already serve another request.
            if self._response is response:
                response.cancel()
                self.abort()
            raise

    async def _send(self, head: bytes, body: bytes, timeout: float | None) -> None:
        assert self._transport is not None
        if len(body) <= _PIECE:
            self._transport.write(head + body)
            return
        self._sending = True
        self._transport.write(head)
        rest = memoryview(body)
        # A response that arrives before the whole request is sent is final: the server reads no further.
        while rest and self._expecting and not self.is_closing():
            self._transport.write(rest[:_PIECE])
            rest = rest[_PIECE:]
            try:
                async with asyncio.timeout(timeout):
                    while self._writable is not None:
                        await self._writable
            except TimeoutError:
                raise httpx.WriteTimeout("the server took too long to read the request") from None
        self._sending = bool(rest)

    def _deliver(self, stream: httpx.AsyncByteStream) -> None:
        if self._response is not None and not self._response.done():
            version = self._parser.get_http_version().encode()
            self._response.set_result(
                httpx.Response(
                    self._parser.get_status_code(),
                    headers=self._headers,
                    stream=stream,
                    extensions={"http_version": b"HTTP/" + version},
                )
            )

    def _end(self, keep: bool) -> None:
        self._over()
        if keep and not self._sending and not self.is_closing() and not self._unwritten():
            self.set_reading(True)
            self.idle_since = time.monotonic()
            self._pool.release(self)
        else:
            self.abort()

    def fail(self, error: httpx.TransportError) -> None:
        """End the exchange, if one is under way, and the connection."""
        if self._expecting:
            if self._response is not None and not self._response.done():
                self._response.set_exception(error)
            if self._stream is not None:
                self._stream.put(error)
        self._over()
        self.abort()

    def _over(self) -> None:
        self._expecting = self._until_closed = False
        self._response = self._stream = None
        self._unwatch()
        self._go_on_writing()

    # ---- asyncio.Protocol -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        for option in self._pool.socket_options:
            transport.get_extra_info("socket").setsockopt(*option)
        self._pool.open.add(self)

    def data_received(self, data: bytes) -> None:
        if not self._expecting:
            self.abort()  # a response without a request
            return
        self.has_received = True
        self._last_read = time.monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail(httpx.RemoteProtocolError("the server switches to another protocol"))
        except httptools.HttpParserError as error:
            self.fail(httpx.RemoteProtocolError(f"not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        if exc is not None and self._expecting:
            self._read_what_has_come()
        if exc is None and self._until_closed:
            self.on_message_complete()
        elif exc is None:
            self.fail(httpx.RemoteProtocolError("the server closed the connection"))
        else:
            self.fail(httpx.ReadError(reason(exc)))
        # They refer back to this object; clearing them frees it at once.
        self._transport = None
        del self._parser

    def _read_what_has_come(self) -> None:
        """After a failed write, take the response that explains it, such as a 413 before the connection closes."""
        assert self._transport is not None
        if self._transport.get_extra_info("ssl_object") is not None:
            return
        with contextlib.suppress(OSError), self._transport.get_extra_info("socket").dup() as rest:
            while self._expecting and (data := rest.recv(65536)):
                self.data_received(data)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        self._go_on_writing()

    def _go_on_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # ---- httptools --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if not self._expecting:
            self.abort()  # bytes after the end of the response

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if not self._expecting or self._is_interim():
            return
        headers = {name.lower(): value for name, value in self._headers}
        self._until_closed = (
            b"content-length" not in headers
            and b"chunked" not in headers.get(b"transfer-encoding", b"").lower()
        )
        if headers.get(b"content-type", b"").startswith(_STREAMED):
            self._stream = _Stream(self)
            self._deliver(self._stream)

    def on_body(self, body: bytes) -> None:
        if self._stream is not None:
            self._stream.put(body)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._expecting:
            return
        if self._is_interim():
            self._headers = []
            return
        # A server whose handler has failed may close the connection without announcing it, as uvicorn does. A request
        # that is sent before the end arrives counts as perhaps carried out.
        keep = self._parser.should_keep_alive() and self._parser.get_status_code() != 500
        if self._stream is not None:
            self._stream.put(None)
        else:
            self._deliver(httpx.ByteStream(b"".join(self._body)))
        self._end(keep)

    def _is_interim(self) -> bool:
        return 100 <= self._parser.get_status_code() < 200

    # ---- reading ----------------------------------------------------------------------------

    def set_reading(self, on: bool) -> None:
        """Pause or resume reading. Time in which reading is paused does not count towards the server's timeout."""
        assert self._transport is not None
        if on and not self._transport.is_reading() and not self.is_closing():
            self._transport.resume_reading()
            if self._expecting:
                self._watch()
        elif not on and self._transport.is_reading():
            self._transport.pause_reading()
            self._unwatch()

    def _watch(self) -> None:
        self._last_read = time.monotonic()
        if self._read_timeout is not None:
            self._unwatch()
            self._call_later(self._read_timeout)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call_later(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._check_timeout)

    def _check_timeout(self) -> None:
        assert self._read_timeout is not None
        left = self._last_read + self._read_timeout - time.monotonic()
        if left > 0:
            self._call_later(left)
        else:
            self.fail(httpx.ReadTimeout("the server took too long to respond"))

    # ---- the connection ---------------------------------------------------------------------

    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _unwritten(self) -> bool:
        assert self._transport is not None
        return self._transport.get_write_buffer_size() > 0

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Stream(httpx.AsyncByteStream):
    """A body that is passed on as it arrives. When its reader is far behind, reading from the server pauses."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._pieces: deque[bytes | httpx.TransportError | None] = deque()
        self._size = 0
        self._arrived = asyncio.Event()

    def put(self, piece: bytes | httpx.TransportError | None) -> None:
        """Add a part, or the way the body ended: None if it is complete."""
        self._pieces.append(piece)
        self._arrived.set()
        if not isinstance(piece, bytes):
            self._connection = None
            return
        self._size += len(piece)
        if self._size > _AHEAD and self._connection is not None:
            self._connection.set_reading(False)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while not self._pieces:
                self._arrived.clear()
                await self._arrived.wait()
            piece = self._pieces.popleft()
            if piece is None:
                return
            if isinstance(piece, httpx.TransportError):
                raise piece
            self._size -= len(piece)
            if self._size <= _AHEAD and self._connection is not None:
                self._connection.set_reading(True)
            yield piece

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.fail(httpx.ReadError("the stream was closed"))


def reason(error: BaseException) -> str:
    """Why the operating system or TLS ended a connection."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
        return os.strerror(error.errno).lower()  # asyncio's message repeats the address
    return str(error) or type(error).__name__
