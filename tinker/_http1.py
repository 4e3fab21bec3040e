"""A lean HTTP/1.1 transport for httpx, on asyncio's own sockets and the parser of `httptools`.

httpx's pool looks at every request and connection on every event, which at 200 requests in flight
costs milliseconds a request. This one keeps a stack of idle connections and nothing else. It does what
this library needs: bodies in one piece, responses in one piece or as a stream, TLS, timeouts, and
errors of the same classes as httpx's. Proxies and HTTP/2 are left to httpx (see `_transport`).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools
import httpx

_KEEP_IDLE = 64
"""Idle connections kept; the longest idle ones are closed first."""
_IDLE_SECONDS = 55.0
"""Shorter than the 60 s after which many servers and load balancers close a silent connection."""
_STREAMED = b"text/event-stream"


class Http1Transport(httpx.AsyncBaseTransport):
    """One origin's connections. Used on one event loop."""

    def __init__(
        self, socket_options: list[tuple[int, int, int]], ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._socket_options = socket_options
        self._ssl_context = ssl_context
        self._idle: deque[_Connection] = deque()
        self._busy: set[_Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        connection = self._take() or await self._connect(request, timeouts.get("connect"))
        self._busy.add(connection)
        try:
            return await connection.exchange(request, timeouts)
        except BaseException as error:
            # Also after a cancellation: what the connection would carry next is not known.
            connection.abort()
            if isinstance(error, httpx.RequestError):
                error.request = request
            raise

    def _take(self) -> _Connection | None:
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since < _IDLE_SECONDS and not connection.is_closing():
                return connection
            connection.abort()
        return None

    async def _connect(self, request: httpx.Request, timeout: float | None) -> _Connection:
        url = request.url
        secure = url.scheme == "https"
        try:
            async with asyncio.timeout(timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self._released, self._lost),
                    url.host,
                    url.port or (443 if secure else 80),
                    ssl=self._context() if secure else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("connecting took too long", request=request) from None
        except OSError as error:
            raise httpx.ConnectError(_reason(error), request=request) from error
        connection.set_options(self._socket_options)
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = httpx.create_ssl_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context

    def _released(self, connection: _Connection) -> None:
        self._busy.discard(connection)
        self._idle.append(connection)
        if len(self._idle) > _KEEP_IDLE:
            self._idle.popleft().abort()

    def _lost(self, connection: _Connection) -> None:
        self._busy.discard(connection)
        # Idle connections are few, and seldom lost.
        if connection in self._idle:
            self._idle.remove(connection)

    async def aclose(self) -> None:
        for connection in (*self._idle, *self._busy):
            connection.abort()
        self._idle.clear()
        self._busy.clear()


class _Connection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(
        self,
        released: Callable[[_Connection], None],
        lost: Callable[[_Connection], None],
    ) -> None:
        self._released, self._lost = released, lost
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self._answer: asyncio.Future[httpx.Response] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_timeout: float | None = None
        self._last_read = 0.0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._stream: _Stream | None = None
        self._until_closed = False
        """Whether the body has no length and ends with the connection."""

    # ---- asyncio.Protocol -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._last_read = time.monotonic()
        if self._answer is None and self._stream is None:
            self.abort()  # an answer nobody has asked for
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("the server wants another protocol"))
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(f"not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if exc is None and self._until_closed:
            self.on_message_complete()
        elif exc is None:
            self._fail(httpx.RemoteProtocolError("the server closed the connection"))
        else:
            self._fail(httpx.ReadError(_reason(exc)))

    def pause_writing(self) -> None:
        self._paused = True
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        self._paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # ---- httptools --------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:
            return
        headers = {name.lower(): value for name, value in self._headers}
        self._until_closed = not headers.keys() & {b"content-length", b"transfer-encoding"}
        if headers.get(b"content-type", b"").startswith(_STREAMED):
            self._stream = _Stream(self)
            self._deliver(self._stream)

    def on_body(self, body: bytes) -> None:
        if self._stream is not None:
            self._stream.put(body)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:
            self._headers = []
            return
        keep = self._parser.should_keep_alive()
        if self._stream is not None:
            self._stream.put(None)
            self._stream = None
        else:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._deliver(httpx.ByteStream(body))
        self._end(keep)

    # ---- one exchange -----------------------------------------------------------------------

    async def exchange(
        self, request: httpx.Request, timeouts: dict[str, float | None]
    ) -> httpx.Response:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[httpx.Response] = loop.create_future()
        self._answer = answer
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._body, self._stream = [], [], None
        self._until_closed = False
        body = await request.aread()
        head = _head(request)
        if len(body) < 65536:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
            await self._drained(timeouts.get("write"))
        self._last_read = time.monotonic()
        self._read_timeout = timeouts.get("read")
        if self._read_timeout is not None:
            self._timer = loop.call_later(self._read_timeout, self._check_timeout)
        return await answer

    async def _drained(self, timeout: float | None) -> None:
        """Wait until the peer has taken most of a large body."""
        while self._paused and self._writable is not None and not self.is_closing():
            try:
                async with asyncio.timeout(timeout):
                    await self._writable
            except TimeoutError:
                raise httpx.WriteTimeout("the server took too long to read the request") from None

    def _check_timeout(self) -> None:
        assert self._read_timeout is not None
        left = self._last_read + self._read_timeout - time.monotonic()
        if left > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(left, self._check_timeout)
        else:
            self._fail(httpx.ReadTimeout("the server took too long to answer"))
            self.abort()

    def _deliver(self, stream: httpx.AsyncByteStream) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            version = self._parser.get_http_version().encode()
            answer.set_result(
                httpx.Response(
                    self._parser.get_status_code(),
                    headers=self._headers,
                    stream=stream,
                    extensions={"http_version": b"HTTP/" + version},
                )
            )

    def _end(self, keep: bool) -> None:
        self._until_closed = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if keep and not self.is_closing():
            self.idle_since = time.monotonic()
            self._released(self)
        else:
            self.abort()

    def _fail(self, error: httpx.TransportError) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._answer = None
        if self._stream is not None:
            self._stream.put(error)
            self._stream = None

    # ---- the connection ---------------------------------------------------------------------

    def set_options(self, options: list[tuple[int, int, int]]) -> None:
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        if isinstance(sock, socket.socket) or hasattr(sock, "setsockopt"):
            for option in options:
                sock.setsockopt(*option)

    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Stream(httpx.AsyncByteStream):
    """A body handed over as it comes."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._pieces: asyncio.Queue[bytes | httpx.TransportError | None] = asyncio.Queue()
        self._ended = False

    def put(self, piece: bytes | httpx.TransportError | None) -> None:
        self._pieces.put_nowait(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._ended:
            piece = await self._pieces.get()
            if isinstance(piece, bytes):
                yield piece
                continue
            self._ended = True
            if piece is not None:
                raise piece

    async def aclose(self) -> None:
        if not self._ended and self._connection._stream is self:
            self._ended = True
            self._connection.abort()


def _head(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s\r\n" % header for header in request.headers.raw]
    lines.append(b"\r\n")
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
        raise httpx.LocalProtocolError("a header has a line break in it")
    return head


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
