"""Proves that the lean client sends what httpx's own would send, and knows when to leave it to httpx."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.raw_server import Peer, serve
from tinker._http.client import LeanClient, make_client
from tinker._http.config import Settings
from tinker._http.http1 import TRACE, Http1Transport

HEADERS = {"User-Agent": "test", "Accept": "application/json", "X-API-Key": "tml-x"}


async def echo(peer: Peer) -> None:
    """Answers with the request: its line, its headers by lower-case name, and its body."""
    while True:
        head, body = await peer.request()
        line, *headers = head.decode().split("\r\n")[:-2]
        pairs = sorted([name.lower(), value] for name, value in (h.split(": ", 1) for h in headers))
        answer = json.dumps([line, pairs, body.decode()]).encode()
        await peer.send(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: %d\r\n\r\n%s"
            % (len(answer), answer)
        )


@pytest.mark.parametrize(
    "call",
    [
        {"method": "get", "url": "/api/v1/healthz"},
        {"method": "post", "url": "/api/v1/asample", "content": b"{}"},
        {"method": "post", "url": "/api/v1/a%3Ab", "content": b"{}", "headers": {"X-More": "1"}},
        {"method": "post", "url": "/x", "content": b"{}", "headers": {"accept": "other/type"}},
        {"method": "post", "url": "/x", "headers": {"X-API-Key": "tml-y"}, "timeout": httpx.Timeout(5)},
        {"method": "get", "url": "/x", "params": {"limit": 5, "after": "ü"}},
        {"method": "delete", "url": "/x"},
        {"method": "post", "url": "/x", "json": {"a": [1, None]}, "params": {"b": 1}},
        {"method": "post", "url": "/x", "data": {"form": "ü"}},
        {"method": "put", "url": "/x?y=1", "content": b"", "timeout": None},
    ],
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", "base/path"])
def test_requests_are_those_of_httpx(call: dict[str, Any], prefix: str) -> None:
    async def main() -> None:
        async with serve(echo) as server:
            base = server.url + prefix
            async with (
                LeanClient(Http1Transport(), base_url=base, headers=HEADERS) as lean,
                httpx.AsyncClient(base_url=base, headers=HEADERS, trust_env=False) as full,
            ):
                ours, theirs = await lean.request(**call), await full.request(**call)
        assert ours.json() == theirs.json()
        assert (ours.status_code, ours.request.url) == (200, theirs.request.url)

    asyncio.run(main())


def test_cookies_are_not_kept_and_changed_headers_are_sent() -> None:
    async def main() -> None:
        async with (
            serve(echo) as server,
            make_client(
                Settings(base_url=server.url.rstrip("/"), api_key="tml-x"), {"X-API-Key": "tml-x"}
            ) as client,
        ):
            await client.request("get", "/")
            client.headers["X-API-Key"] = "tml-new"
            _, headers, _ = (await client.request("get", "/")).json()
        assert ["x-api-key", "tml-new"] in headers
        assert "cookie" not in dict(headers)

    asyncio.run(main())


def test_errors_name_the_request_and_a_closed_client_says_so() -> None:
    async def closes(peer: Peer) -> None:
        await peer.request()

    async def main() -> None:
        async with serve(closes) as server:
            client = LeanClient(Http1Transport(), base_url=server.url)
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await client.request("post", "/x", content=b"{}")
            assert caught.value.request.content == b"{}"
            await client.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await client.request("post", "/x", content=b"{}")

    asyncio.run(main())


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_compressed_bodies_are_read(encoding: str) -> None:
    content = json.dumps({"a": "ü" * 99}).encode()

    async def compressed(peer: Peer) -> None:
        await peer.request()
        sent = gzip.compress(content) if encoding else content
        kind = b"Content-Encoding: gzip\r\n" if encoding else b""
        await peer.send(
            b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (kind, len(sent)) + sent
        )

    async def main() -> None:
        async with (
            serve(compressed) as server,
            LeanClient(Http1Transport(), base_url=server.url) as client,
        ):
            response = await client.request("get", "/x")
        assert response.content == content
        assert response.is_closed

    asyncio.run(main())


def test_a_closed_client_sends_nothing_more() -> None:
    async def main() -> None:
        async with serve(echo) as server:
            transport = Http1Transport()
            client = LeanClient(transport, base_url=server.url)
            await client.request("get", "/x")
            await transport.aclose()
            with pytest.raises(httpx.ReadError, match="the client is closed"):
                await client.request("get", "/x")
            other = httpx.Request("GET", "http://127.0.0.1:1/")
            with pytest.raises(httpx.ReadError, match="the client is closed"):
                await transport.handle_async_request(other)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "environment", "lean"),
    [
        ("http://127.0.0.1:1", {"http_proxy": "http://127.0.0.1:2"}, True),
        ("https://example.org", {}, True),
        ("https://example.org", {"https_proxy": "http://127.0.0.1:2"}, False),
        ("https://example.org", {"all_proxy": "http://127.0.0.1:2"}, False),
        ("https://example.org", {"http_proxy": "http://127.0.0.1:2"}, True),
        ("https://example.org", {"https_proxy": "http://127.0.0.1:2", "no_proxy": "example.org"}, True),
    ],
)  # fmt: skip
def test_proxies_are_left_to_httpx(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], lean: bool
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    kind: Callable[..., Any] = LeanClient if lean else httpx.AsyncClient
    assert type(make_client(Settings(base_url=url, api_key="tml-x"), {})) is kind


def test_the_headers_of_a_trace_pass_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = [(b"traceparent", b"00-1"), (b"tracestate", b"a=b")]
    settings = Settings(base_url="http://tinker.invalid", api_key="tml-x")

    async def main() -> Any:
        async with serve(echo) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            async with make_client(settings, {}) as client:
                return (await client.post("/", extensions={TRACE: trace})).json()

    _, headers, _ = asyncio.run(main())
    assert ["traceparent", "00-1"] in headers
    assert ["tracestate", "a=b"] in headers
