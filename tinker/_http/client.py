"""The `httpx.AsyncClient` under the generated client."""

from __future__ import annotations

import functools
import os
import socket
import urllib.request
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import httpx

from tinker._http.config import Settings
from tinker._http.http1 import TRACE, Http1Transport
from tinker._version import SDK_VERSION

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=90.0)

CONNECT_TIMEOUT = 5.0


def _keepalive_options() -> list[tuple[int, int, int]]:
    """Probe silent connections, so that a long poll notices within a minute that the peer is gone."""
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


class LeanClient(httpx.AsyncClient):
    """httpx's client without the features that this library does not use: cookies, redirects, authentication, hooks.

    They take two thirds of the time of a small request. httpx still builds requests that have more than a body,
    headers and a timeout, and sends streamed ones.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, **options: Any) -> None:
        super().__init__(transport=transport, trust_env=False, **options)
        self._lean_transport = transport
        # Requests differ in few of these, and httpx takes longer to make them than to send a small request.
        self._full_url = functools.lru_cache(256)(self._merge_url)
        self._all_headers = functools.lru_cache(64)(_merge_headers)

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        options = _given(options)
        params = options.pop("params", None)
        if options.keys() - {"content", "headers", "timeout"}:
            return super().build_request(method, url, params=params, **options)
        full_url = self._full_url(url)
        if params:
            full_url = httpx.URL(f"{full_url}?{httpx.QueryParams(params)}")
        headers = self._all_headers(
            self.base_url.netloc,
            tuple(self.headers.raw),
            tuple((options.get("headers") or {}).items()),
        )
        content = options.get("content") or b""
        request = httpx.Request(
            method,
            full_url,
            headers=headers,
            stream=httpx.ByteStream(content),
            extensions={"timeout": httpx.Timeout(options.get("timeout", self.timeout)).as_dict()},
        )
        request._content = content  # as `read` does
        return request

    async def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        if self.is_closed or stream or _given(options):
            return await super().send(request, stream=stream, **options)
        try:
            response = await self._lean_transport.handle_async_request(request)
            response.request = request
            if isinstance(response.stream, httpx.SyncByteStream):
                _read(response)
            else:
                await response.aread()
        except httpx.RequestError as error:
            error.request = request
            raise
        return response


def _merge_headers(
    host: bytes, usual: Iterable[tuple[bytes, bytes]], given: Iterable[tuple[str, str]]
) -> httpx.Headers:
    added = {name.lower().encode(): value.encode() for name, value in given}
    kept = [(name, value) for name, value in usual if name.lower() not in added]
    return httpx.Headers([(b"Host", host), *kept, *added.items()])


def _read(response: httpx.Response) -> None:
    """Read a body that has arrived, as `response.read()` does; unless it is compressed, without httpx's five generators."""
    if "content-encoding" in response.headers or not isinstance(response.stream, httpx.ByteStream):
        response.read()
    else:
        response._content = b"".join(response.stream)
        response.is_stream_consumed = response.is_closed = True


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that this library sets itself."""
    return {
        name: value
        for name, value in options.items()
        if value is not None and value is not httpx.USE_CLIENT_DEFAULT
    }


def make_client(settings: Settings, headers: dict[str, str]) -> httpx.AsyncClient:
    """A client for one server, with our own transport, or httpx's behind a proxy."""
    options: dict[str, Any] = {
        "base_url": settings.base_url,
        "timeout": httpx.Timeout(60.0, connect=CONNECT_TIMEOUT),
        "follow_redirects": False,
    }
    client: httpx.AsyncClient
    if proxy_for(settings) is not None:
        hooks = {"request": [_set_trace_headers]}
        client = httpx.AsyncClient(limits=_LIMITS, event_hooks=hooks, **options)
    else:
        client = LeanClient(Http1Transport(_keepalive_options()), **options)
    client.headers.encoding = "latin-1"  # httpx rejects it in the constructor
    client.headers["User-Agent"] = f"AsyncTinker/Python {SDK_VERSION}"
    for name, value in headers.items():
        client.headers[name] = value
    return client


async def _set_trace_headers(request: httpx.Request) -> None:
    for name, value in request.extensions.get(TRACE, ()):
        request.headers[name.decode()] = value.decode()


def proxy_for(settings: Settings) -> str | None:
    """A phrase for errors: the server's proxy, and the environment variable that names it."""
    parts = urlsplit(settings.base_url)
    if settings.is_loopback or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    for scheme in (parts.scheme, "all"):
        if url := proxies.get(scheme):
            found = next(
                (v for v in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()) if v in os.environ), None
            )
            return f"the proxy {_without_user(url)} ({found or 'from the system settings'})"
    return None


def _without_user(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def unresolved_host(error: BaseException, url: str) -> str | None:
    """The URL's host name, if the error says that it cannot be resolved."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror | UnicodeError):
            return urlsplit(url).hostname
        cause = cause.__cause__ or cause.__context__
    return None
