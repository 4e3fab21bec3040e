"""A lean HTTP/1.1 transport for httpx, on asyncio's own sockets and the parser of `httptools`.

httpx's pool checks every request and connection on every event, which takes milliseconds for each request
at 200 requests in flight. This transport keeps only a stack of idle connections. It supports what this
library needs: bodies in one piece, responses in one piece or as a stream of events, TLS, timeouts, and
the error classes of httpx. Proxies and HTTP/2 are left to httpx (see `_transport`).

A server may close an idle connection just as it is used again. If that happens before any byte of the
response has arrived, the request is sent once more on a new connection: all requests of this library are
safe to retry (see `_protocol/retry.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import os
import re
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import cast

import httptools
import httpx

from tinker._http.sse import EVENT_STREAM

_KEEP_IDLE = 100
"""Maximum number of idle connections; those that are idle longest are closed first."""
_IDLE_SECONDS = 55.0
"""Seconds. Less than the 60 s after which many servers and load balancers close a silent connection."""
_PIECE = 512 * 1024
"""Bytes of a body written at once; the event loop copies what the peer has not read."""
_AHEAD = 256 * 1024
"""Bytes of a stream that are buffered for a slow reader before reading pauses."""
_STREAMED = EVENT_STREAM.encode()

SENT_TWICE = "sent_twice"
"""Extension of a response whose request was sent twice, because the first connection ended without a response."""

SocketOption = tuple[int, int, int]
Timeouts = dict[str, float | None]


class Http1Transport(httpx.AsyncBaseTransport):
    """The connections to one server. Used on one event loop."""

    def __init__(
        self, socket_options: Iterable[SocketOption] = (), ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.socket_options = tuple(socket_options)
        self.idle: deque[_Connection] = deque()
        self.open: set[_Connection] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._connecting = 0
        self._ssl_context = ssl_context
        self._server: bytes | None = None
        self._closed = False
        self._head = functools.lru_cache(64)(_head)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # Read what has already arrived directly: going through the event loop costs more than the read.
        whole = isinstance(request.stream, httpx.SyncByteStream)
        body = request.read() if whole else await request.aread()
        head = self._head(request.method, request.url.raw_path, tuple(request.headers.raw))
        if body or request.method in _WITH_BODY:
            head += b"Content-Length: %d\r\n" % len(body)
        head += b"\r\n"
        self._check_server(request.url)
        timeouts: Timeouts = request.extensions.get("timeout", {})
        connection = self._take()
        if connection is not None:
            try:
                return await connection.exchange(head, body, timeouts)
            except (httpx.ReadError, httpx.RemoteProtocolError) as lost:
                if connection.has_received or self._closed:
                    raise
                # The server may have received it; the caller must know.
                try:
                    connection = await self._connect_or_wait(request.url, timeouts)
                except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
                    raise lost from None
                response = await connection.exchange(head, body, timeouts)
                response.extensions[SENT_TWICE] = True
                return response
        connection = await self._connect_or_wait(request.url, timeouts)
        return await connection.exchange(head, body, timeouts)

    def _check_server(self, url: httpx.URL) -> None:
        self._check_open()
        if self._server is None:
            self._server = url.netloc
        if url.netloc != self._server:
            raise httpx.UnsupportedProtocol(f"{url} is not on {self._server.decode()}")

    def _take(self) -> _Connection | None:
        now = time.monotonic()
        while self.idle:
            connection = self.idle.pop()
            if now - connection.idle_since < _IDLE_SECONDS and not connection.is_closing():
                return connection
            connection.abort()
        return None

    async def _connect_or_wait(self, url: httpx.URL, timeouts: Timeouts) -> _Connection:
        """A new connection; if the process cannot open another, the next one that becomes free."""
        while True:
            try:
                return await self._connect(url, timeouts.get("connect"))
            except BaseException as error:
                others = self.open or self._connecting
                if not _too_many_files(error.__cause__) or not others:
                    self._wake()
                    raise
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                async with asyncio.timeout(timeouts.get("pool")):
                    await waiter
            except TimeoutError:
                raise httpx.PoolTimeout("no connection became free; see `ulimit -n`") from None
            except BaseException:
                self._wake()  # it may have been next in line
                raise
            if (connection := self._take()) is not None:
                return connection

    async def _connect(self, url: httpx.URL, timeout: float | None) -> _Connection:
        self._check_open()
        secure = url.scheme == "https"
        self._connecting += 1
        try:
            async with asyncio.timeout(timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self),
                    url.raw_host.decode(),
                    url.port or (443 if secure else 80),
                    ssl=self._context() if secure else None,
                    # Happy eyeballs cost tasks, and help only where one address of a public name does not work.
                    happy_eyeballs_delay=0.25 if secure else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("connecting took too long") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: not a possible host name
            raise httpx.ConnectError(_reason(error)) from error
        finally:
            self._connecting -= 1
        if self._closed:
            connection.abort()
        self._check_open()
        return connection

    def _check_open(self) -> None:
        if self._closed:
            raise httpx.ReadError("the client is closed")

    def _context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = httpx.create_ssl_context()
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context

    def release(self, connection: _Connection) -> None:
        """Keep a connection for the next request."""
        self.idle.append(connection)
        if len(self.idle) > _KEEP_IDLE:
            self.idle.popleft().abort()
        self._wake()

    def forget(self, connection: _Connection) -> None:
        """Forget a lost connection."""
        self.open.discard(connection)
        with contextlib.suppress(ValueError):
            self.idle.remove(connection)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def aclose(self) -> None:
        self._closed = True
        for connection in tuple(self.open):
            connection.fail(httpx.ReadError("the client was closed"))


class _Connection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self, pool: Http1Transport) -> None:
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
        self._answer: asyncio.Future[httpx.Response] | None = None
        self._stream: _Stream | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_timeout: float | None = None
        self._last_read = 0.0
        self._begin_answer()

    def _begin_answer(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._until_closed = False
        """Whether the body has no length, so that the end of the connection ends it."""

    # ---- one exchange -----------------------------------------------------------------------

    async def exchange(self, head: bytes, body: bytes, timeouts: Timeouts) -> httpx.Response:
        """Send a request and return its response; the body of a stream is still to come."""
        answer: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._begin_answer()
        self._expecting, self.has_received = True, False
        try:
            await self._send(head, body, timeouts.get("write"))
            if self._expecting:
                self._read_timeout = timeouts.get("read")
                self._watch()
            return await answer
        except BaseException:
            # Also after a cancellation, because the state of the connection is unknown. If the response has arrived by
            # then, the connection may already serve another request.
            if self._answer is answer:
                answer.cancel()
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
        if self._answer is not None and not self._answer.done():
            version = self._parser.get_http_version().encode()
            self._answer.set_result(
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
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(error)
            if self._stream is not None:
                self._stream.put(error)
        self._over()
        self.abort()

    def _over(self) -> None:
        self._expecting = self._until_closed = False
        self._answer = self._stream = None
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
            self.fail(httpx.ReadError(_reason(exc)))
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
        keep = self._parser.should_keep_alive()
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

    def __init__(self, connection: _Connection) -> None:
        self._connection: _Connection | None = connection
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


_HEAD = re.compile(
    rb"[!-~]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)+"
)
_FRAMING = (b"content-length", b"transfer-encoding")
_WITH_BODY = ("POST", "PUT", "PATCH")


def _head(method: str, path: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The request line and headers, without those that frame the body: that is decided here, whatever they say."""
    if method in ("HEAD", "CONNECT"):
        raise httpx.UnsupportedProtocol(f"{method} is not supported")
    lines = [b"%s %s HTTP/1.1\r\n" % (method.encode(), path)]
    lines += [
        b"%s: %s\r\n" % (name, value) for name, value in headers if name.lower() not in _FRAMING
    ]
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) or not _HEAD.fullmatch(head):
        raise httpx.LocalProtocolError("the request line or a header has a forbidden character")
    return head


def _too_many_files(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
        return os.strerror(error.errno).lower()  # asyncio's message repeats the address
    return str(error) or type(error).__name__
