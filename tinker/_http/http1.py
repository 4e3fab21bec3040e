"""A lean HTTP/1.1 transport for httpx, on asyncio's own sockets and the parser of `httptools`.

httpx's pool checks every request and connection on every event, which takes milliseconds for each request
at 200 requests in flight. This transport keeps only a stack of idle connections. It supports what this
library needs: bodies in one piece, responses in one piece or as a stream of events, TLS, timeouts, and
the error classes of httpx. Proxies and HTTP/2 are left to httpx (see `client.make_client`).

A server may close an idle connection just as it is used again. If that happens before any byte of the
response has arrived, the request is sent once more on a new connection: all requests of this library are
safe to retry (see `_protocol/retry.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import re
import ssl
import time
from collections import deque
from collections.abc import Iterable

import httpx

from tinker._http.http1_connection import Connection, SocketOption, Timeouts, reason

_KEEP_IDLE = 100
"""Maximum number of idle connections; those that are idle longest are closed first."""
_IDLE_SECONDS = 55.0
"""Seconds. Less than the 60 s after which many servers and load balancers close a silent connection."""

SENT_TWICE = "sent_twice"
"""Extension of a response whose request was sent twice, because the first connection ended without a response."""


TRACE = "tinker_trace"
"""Extension of a request: headers that differ from request to request, names and values as bytes.

The heads of requests are cached, and this keeps them alike; httpx takes longer to set a header than to make a head.
"""


class Http1Transport(httpx.AsyncBaseTransport):
    """The connections to one server. Used on one event loop."""

    def __init__(
        self, socket_options: Iterable[SocketOption] = (), ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.socket_options = tuple(socket_options)
        self.idle: deque[Connection] = deque()
        self.open: set[Connection] = set()
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
        trace = request.extensions.get(TRACE, ())
        headers = tuple(request.headers.raw)
        head = self._head(request.method, request.url.raw_path, headers, bool(trace))
        for name, value in trace:
            head += _line(name, value)
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

    def _take(self) -> Connection | None:
        now = time.monotonic()
        while self.idle:
            connection = self.idle.pop()
            if now - connection.idle_since < _IDLE_SECONDS and not connection.is_closing():
                return connection
            connection.abort()
        return None

    async def _connect_or_wait(self, url: httpx.URL, timeouts: Timeouts) -> Connection:
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

    async def _connect(self, url: httpx.URL, timeout: float | None) -> Connection:
        self._check_open()
        secure = url.scheme == "https"
        self._connecting += 1
        try:
            async with asyncio.timeout(timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self),
                    url.raw_host.decode(),
                    url.port or (443 if secure else 80),
                    ssl=self._context() if secure else None,
                    # Happy eyeballs cost tasks, and help only where one address of a public name does not work.
                    happy_eyeballs_delay=0.25 if secure else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("connecting took too long") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: not a possible host name
            raise httpx.ConnectError(reason(error)) from error
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

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        self.idle.append(connection)
        if len(self.idle) > _KEEP_IDLE:
            self.idle.popleft().abort()
        self._wake()

    def forget(self, connection: Connection) -> None:
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


_HEAD = re.compile(
    rb"[!-~]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)+"
)
_FRAMING = (b"content-length", b"transfer-encoding")
_OF_A_TRACE = (b"traceparent", b"tracestate")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_WITH_BODY = ("POST", "PUT", "PATCH")


def _line(name: bytes, value: bytes) -> bytes:
    if not _VALUE.fullmatch(value):
        raise httpx.LocalProtocolError(f"{name.decode('ascii')} has a forbidden character")
    return b"%s: %s\r\n" % (name, value)


def _head(
    method: str, path: bytes, headers: Iterable[tuple[bytes, bytes]], is_traced: bool
) -> bytes:
    """The request line and headers, without those that frame the body: that is decided here, whatever they say.

    A trace of this client takes the place of one in the headers.
    """
    if method in ("HEAD", "CONNECT"):
        raise httpx.UnsupportedProtocol(f"{method} is not supported")
    lines = [b"%s %s HTTP/1.1\r\n" % (method.encode(), path)]
    left_out = _FRAMING + _OF_A_TRACE if is_traced else _FRAMING
    lines += [
        b"%s: %s\r\n" % (name, value) for name, value in headers if name.lower() not in left_out
    ]
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) or not _HEAD.fullmatch(head):
        raise httpx.LocalProtocolError("the request line or a header has a forbidden character")
    return head


def _too_many_files(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
