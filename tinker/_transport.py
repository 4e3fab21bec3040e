"""The `httpx.AsyncClient` under the generated client."""

from __future__ import annotations

import socket
import urllib.request
from urllib.parse import urlsplit

import httpx

from tinker._config import SDK_VERSION, Settings
from tinker._http1 import Http1Transport

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=90.0)

CONNECT_TIMEOUT = 5.0


def _keepalive_options() -> list[tuple[int, int, int]]:
    """Probe silent connections, so that a long poll notices a peer that is gone within a minute."""
    options = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


def make_client(settings: Settings, headers: dict[str, str]) -> httpx.AsyncClient:
    """A client for one server: our own transport, or httpx's where a proxy is to be used."""
    transport: httpx.AsyncBaseTransport | None = None
    if settings.is_loopback or not _has_proxy(settings.base_url):
        transport = Http1Transport(_keepalive_options())
    return httpx.AsyncClient(
        base_url=settings.base_url,
        headers={
            "User-Agent": f"AsyncTinker/Python {SDK_VERSION}",
            "Accept": "application/json",
            **headers,
        },
        timeout=httpx.Timeout(60.0, connect=CONNECT_TIMEOUT),
        limits=_LIMITS,
        transport=transport,
        follow_redirects=False,
        trust_env=transport is None,
    )


def _has_proxy(url: str) -> bool:
    """Whether the environment names a proxy for this address."""
    parts = urlsplit(url)
    proxies = urllib.request.getproxies()
    if not (proxies.get(parts.scheme) or proxies.get("all")):
        return False
    return not urllib.request.proxy_bypass(parts.hostname or "")
