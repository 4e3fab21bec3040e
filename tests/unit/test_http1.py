"""Proves that the transport reads and writes HTTP/1.1 as httpx's own does, however its bytes are cut."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import ssl
import subprocess
from asyncio import run
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies as st

from tests.support.raw_server import Peer, serve
from tinker._http.http1 import TRACE, Http1Transport

TRANSPORTS: dict[str, Callable[[], httpx.AsyncBaseTransport]] = {
    "ours": Http1Transport,
    "httpx": httpx.AsyncHTTPTransport,
}


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Callable[[], httpx.AsyncBaseTransport]:
    return TRANSPORTS[request.param]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

ANSWERS = {
    "length": (OK, 200, b"ok"),
    "no body": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"2\r\nab\r\n1;with=extension\r\nc\r\n0\r\nTrailer: x\r\n\r\n",
        200,
        b"abc",
    ),
    "gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        % (len(gzip.compress(b"hello", mtime=0)), gzip.compress(b"hello", mtime=0)),
        200,
        b"hello",
    ),
    "interim": (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    "502": (b"HTTP/1.1 502 Oh\r\nContent-Length: 3\r\n\r\nwhy", 502, b"why"),
    "status not registered": (b"HTTP/1.1 529 \r\nContent-Length: 2\r\n\r\nno", 529, b"no"),
    "repeated headers": (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok",
        200,
        b"ok",
    ),
}  # fmt: skip

ENDED_BY_CLOSING = {
    "until closed": (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall there is", 200, b"all there is"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
    "asked to close": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody",
        200,
        b"body",
    ),
}  # fmt: skip


# ---- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "status", "content"), ANSWERS.values(), ids=list(ANSWERS))
def test_answers_are_read_and_the_connection_is_used_again(
    transport: Callable[[], httpx.AsyncBaseTransport], answer: bytes, status: int, content: bytes
) -> None:
    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer)

    async def main() -> None:
        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            for _ in range(3):
                response = await client.post(server.url, content=b"{}")
                assert (response.status_code, response.content) == (status, content)
                assert response.http_version == "HTTP/1.1"
            assert server.connections == 1

    run(main())


@pytest.mark.parametrize(
    ("answer", "status", "content"), ENDED_BY_CLOSING.values(), ids=list(ENDED_BY_CLOSING)
)
def test_answers_that_end_with_the_connection(
    transport: Callable[[], httpx.AsyncBaseTransport], answer: bytes, status: int, content: bytes
) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    async def main() -> None:
        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            for number in range(1, 3):
                response = await client.post(server.url, content=b"{}")
                assert (response.status_code, response.content) == (status, content)
                assert server.connections == number

    run(main())


def test_a_connection_is_not_used_again_after_a_500() -> None:
    """The server of a failed handler closes it without a word, perhaps only when the next request is on its way."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nwhy")
        await peer.request()

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            for number in range(1, 3):
                response = await client.post(server.url, content=b"{}")
                assert (response.status_code, response.content) == (500, b"why")
                assert "sent_twice" not in response.extensions
                assert server.connections == number

    run(main())


@given(st.data())
def test_it_does_not_matter_how_answers_are_cut(data: st.DataObject) -> None:
    answer, status, content = data.draw(
        st.sampled_from([*ANSWERS.values(), *ENDED_BY_CLOSING.values()])
    )
    places = data.draw(st.lists(st.integers(0, len(answer)), max_size=6).map(sorted))
    pieces = [answer[a:b] for a, b in zip([0, *places], [*places, len(answer)], strict=True)]

    async def handler(peer: Peer) -> None:
        await peer.request()
        for piece in pieces:
            await peer.send(piece)
            for _ in range(3):  # lets the client read, most of the time
                await asyncio.sleep(0)

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            response = await client.post(server.url, content=b"{}")
            assert (response.status_code, response.content) == (status, content)

    run(main())


def test_headers_arrive_as_they_were_sent(
    transport: Callable[[], httpx.AsyncBaseTransport],
) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWERS["repeated headers"][0])

    async def main() -> list[tuple[str, str]]:
        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            return (await client.get(server.url)).headers.multi_items()

    assert run(main()) == [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", "2")]


# ---- requests -----------------------------------------------------------------------------------


async def pieces() -> AsyncIterator[bytes]:
    yield b"in "
    yield b"pieces"


@pytest.mark.parametrize(
    ("method", "content", "length"),
    [
        ("GET", b"", None),
        ("DELETE", b"", None),
        ("POST", b"", b"0"),
        ("PUT", b"body", b"4"),
        ("POST", b"x" * 3_000_000, b"3000000"),
        ("POST", pieces, b"9"),
    ],
    ids=["GET", "DELETE", "POST without body", "PUT", "large", "body in pieces"],
)
def test_requests_say_how_long_they_are(method: str, content: Any, length: bytes | None) -> None:
    heads: list[bytes] = []

    async def handler(peer: Peer) -> None:
        while True:
            head, body = await peer.request()
            heads.append(head)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def main() -> bytes:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            body = content() if callable(content) else content
            response = await client.request(method, server.url + "a%20b?c=d", content=body)
            return response.content

    echo = run(main())
    assert echo == (b"in pieces" if callable(content) else content)
    lines = heads[0].split(b"\r\n")
    assert lines[0] == method.encode() + b" /a%20b?c=d HTTP/1.1"
    headers = [line.partition(b": ")[::2] for line in lines[1:-2]]
    assert [v for k, v in headers if k.lower() == b"content-length"] == ([length] if length else [])
    assert b"transfer-encoding" not in heads[0].lower()
    assert [k.lower() for k, _ in headers].count(b"host") == 1


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "1\r\nX-Injected: 2"),
        ("X-A", "1\nX-Injected: 2"),
        ("X-A", "1\rX-Injected: 2"),
        ("X-A", "nul\0"),
        ("X-A: 1\r\nX-Injected", "2"),
        ("X A", "1"),
        ("", "1"),
    ],
)
def test_headers_cannot_be_smuggled_in(
    transport: Callable[[], httpx.AsyncBaseTransport], header: tuple[str, str]
) -> None:
    received: list[bytes] = []

    async def handler(peer: Peer) -> None:
        received.append(await peer.reader.read())

    async def main() -> None:
        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            with pytest.raises(httpx.LocalProtocolError):
                await client.get(server.url, headers=[header])

    run(main())
    assert received in ([], [b""])


def test_headers_of_a_trace_cannot_be_smuggled_in() -> None:
    async def main() -> None:
        async with httpx.AsyncClient(transport=Http1Transport()) as client:
            trace = [(b"traceparent", b"1\r\nX-Injected: 2")]
            with pytest.raises(httpx.LocalProtocolError):
                await client.get("http://127.0.0.1:9", extensions={TRACE: trace})

    run(main())


def test_requests_of_different_traces_share_a_head() -> None:
    heads: list[bytes] = []

    async def handler(peer: Peer) -> None:
        while True:
            head, _ = await peer.request()
            heads.append(head)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def main() -> int:
        pool, of_user = Http1Transport(), {"Traceparent": "00-0"}
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=pool, headers=of_user) as client,
        ):
            for trace in (b"00-1", b"00-2", b"00-3"):
                headers = [(b"traceparent", trace), (b"tracestate", b"a=" + trace)]
                await client.get(server.url, extensions={TRACE: headers})
        return pool._head.cache_info().currsize

    assert run(main()) == 1
    lines = [head.split(b"\r\n") for head in heads]
    for trace, found in zip((b"00-1", b"00-2", b"00-3"), lines, strict=True):
        assert {b"traceparent: " + trace, b"tracestate: a=" + trace} <= set(found)
        assert not [line for line in found if line.endswith(b"00-0")]


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_no_header_makes_two(name: bytes, value: bytes) -> None:
    async def handler(peer: Peer) -> None:
        head, _ = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            plain = httpx.Request("GET", server.url)
            request = httpx.Request("GET", server.url, headers=[*plain.headers.raw, (name, value)])
            try:
                head = (await client.send(request)).content
            except httpx.LocalProtocolError:
                return
            assert (
                head.count(b"\n")
                == head.count(b"\r")
                == len(request.headers.raw)
                + 2
                - (name.lower() in (b"content-length", b"transfer-encoding"))
            )

    run(main())


def test_methods_whose_answers_are_read_differently_are_refused() -> None:
    async def main() -> None:
        async with httpx.AsyncClient(transport=Http1Transport()) as client:
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.head("http://127.0.0.1:1/")

    run(main())


def test_one_transport_talks_to_one_server() -> None:
    """An idle connection is never used for a request to another server."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.gone()

    async def main() -> None:
        async with (
            serve(handler) as one,
            serve(handler) as other,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            await client.get(one.url)
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get(other.url)
            assert other.connections == 0

    run(main())


def test_redirects_are_not_followed(transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    async def main() -> None:
        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            response = await client.post(server.url)
            assert (response.status_code, response.headers["location"]) == (302, "/else")
            assert server.connections == 1

    run(main())


# ---- connections --------------------------------------------------------------------------------


def test_ipv6(transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
    hosts: list[bytes] = []

    async def handler(peer: Peer) -> None:
        head, _ = await peer.request()
        hosts.append(
            next(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
        )
        await peer.send(OK)

    async def main() -> None:
        try:
            async with (
                serve(handler, host="::1") as server,
                httpx.AsyncClient(transport=transport()) as client,
            ):
                assert (await client.get(server.url)).content == b"ok"
                assert hosts == [b"Host: " + server.url.encode().split(b"/")[2]]
        except OSError:
            pytest.skip("no IPv6 here")

    run(main())


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A new self-signed certificate for 127.0.0.1, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True
    )
    return paths


def test_tls(
    transport: Callable[[], httpx.AsyncBaseTransport], certificate: tuple[Path, Path]
) -> None:
    """A server is believed if the context says so; otherwise that is a `ConnectError`."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))

    async def handler(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def main() -> None:
        async with serve(handler, tls=serving) as server:
            if transport is Http1Transport:
                knowing: httpx.AsyncBaseTransport = Http1Transport(ssl_context=trusting)
            else:
                knowing = httpx.AsyncHTTPTransport(verify=trusting)
            async with httpx.AsyncClient(transport=knowing) as client:
                for size in (10, 3_000_000, 10):
                    response = await client.post(server.url, content=b"x" * size)
                    assert len(response.content) == size
                assert server.connections == 1
            async with httpx.AsyncClient(transport=transport()) as client:
                with pytest.raises(httpx.ConnectError, match="certificate"):
                    await client.post(server.url)

    run(main())


def test_many_requests_at_once(transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
    """Each gets its own answer, and the connections are used again. httpx's own opens 100 and lets the others wait."""

    async def handler(peer: Peer) -> None:
        while True:
            _, body = await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport(), timeout=None) as client,
        ):

            async def ask(number: int) -> bytes:
                return (await client.post(server.url, content=b"%d" % number)).content

            for _ in range(2):
                answers = await asyncio.gather(*(ask(n) for n in range(120)))
                assert answers == [b"%d" % n for n in range(120)]
            assert server.connections <= 200

    run(main())


# ---- streams ------------------------------------------------------------------------------------

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_events_come_as_they_are_sent(transport: Callable[[], httpx.AsyncBaseTransport]) -> None:
    """Each event is in the reader's hands before the server sends the next; then the connection is free."""
    read = asyncio.Event()

    async def handler(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            await peer.send(EVENTS)
            for number in range(3):
                await peer.send(chunk(b"data: %d\n\n" % number))
                await read.wait()
                read.clear()
            await peer.send(b"0\r\n\r\n")

    async def main() -> None:
        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            for _ in range(2):
                pieces = []
                async with client.stream("POST", server.url) as response:
                    async for piece in response.aiter_bytes():
                        pieces.append(piece)
                        read.set()
                assert pieces == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
            assert server.connections == 1

    run(main())


def test_a_slow_reader_of_events_slows_the_server(
    transport: Callable[[], httpx.AsyncBaseTransport],
) -> None:
    """What is under way stays bounded: by the buffers of the two sockets and a little more."""
    size, count = 65536, 1000
    sent = taken = most = 0

    async def handler(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(EVENTS)
        for _ in range(count):
            await peer.send(chunk(b"x" * size))
            sent += size
        await peer.send(b"0\r\n\r\n")

    async def main() -> None:
        nonlocal taken, most
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport(), timeout=30) as client,
            client.stream("POST", server.url) as response,
        ):
            async for piece in response.aiter_raw():
                taken += len(piece)
                for _ in range(20):
                    await asyncio.sleep(0)  # the server may run ahead now
                most = max(most, sent - taken)

    run(main())
    assert taken == size * count
    assert most < size * count / 2


def test_the_server_sees_when_a_stream_is_left(
    transport: Callable[[], httpx.AsyncBaseTransport],
) -> None:
    async def main() -> None:
        left = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.request()
            if peer.number == 0:
                await peer.send(EVENTS + chunk(b"data: 1\n\n"))
                await peer.gone()
                left.set()
            else:
                await peer.send(OK)

        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            async with client.stream("POST", server.url) as response:
                async for _ in response.aiter_bytes():
                    break
            await left.wait()
            assert (await client.get(server.url)).content == b"ok"
            assert server.connections == 2

    run(main())
