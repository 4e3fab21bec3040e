"""Proves that the transport meets every fault of a connection as httpx's own does, with an error of
the same class and without hanging; and better where httpx fails a request that could have succeeded.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import threading
import tracemalloc
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.support.raw_server import Handler, Peer, serve
from tinker._http.http1 import Http1Transport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = bytes(32_000_000)
"""More than the buffers of two sockets hold."""

Transport = Callable[[], httpx.AsyncBaseTransport]


@pytest.fixture(params=["ours", "httpx"])
def transport(request: pytest.FixtureRequest) -> Transport:
    return Http1Transport if request.param == "ours" else httpx.AsyncHTTPTransport


def run(main: Awaitable[Any]) -> Any:
    async def guarded() -> Any:
        async with asyncio.timeout(30):  # nothing here may hang
            return await main

    return asyncio.run(guarded())


async def closes(peer: Peer) -> None:
    await peer.request()


async def resets(peer: Peer) -> None:
    await peer.request()
    peer.reset()


async def is_silent(peer: Peer) -> None:
    await peer.gone()


def answers_and(data: bytes, then: Callable[[Peer], None] | None = None) -> Handler:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        if then is not None:
            then(peer)

    return handler


SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
CHUNK_CUT = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\nsome of it"

FAULTS: dict[str, tuple[Handler, type[httpx.TransportError]]] = {
    "closed after the request": (closes, httpx.RemoteProtocolError),
    "reset after the request": (resets, httpx.ReadError),
    "closed in the head": (answers_and(b"HTTP/1.1 200 OK\r\nConte"), httpx.RemoteProtocolError),
    "closed after an interim answer": (answers_and(b"HTTP/1.1 100 Continue\r\n\r\n"), httpx.RemoteProtocolError),
    "body cut short": (answers_and(SHORT), httpx.RemoteProtocolError),
    "chunked body cut short": (answers_and(CHUNK_CUT), httpx.RemoteProtocolError),
    "events cut short": (answers_and(EVENTS + b"5\r\nab"), httpx.RemoteProtocolError),
    "reset in the body": (answers_and(SHORT, Peer.reset), httpx.ReadError),
    "reset in a chunked body": (answers_and(CHUNK_CUT, Peer.reset), httpx.ReadError),
    "reset in a body that ends with the connection": (answers_and(UNTIL_CLOSED, Peer.reset), httpx.ReadError),
    "reset in events": (answers_and(EVENTS + b"5\r\nab", Peer.reset), httpx.ReadError),
    "not HTTP": (answers_and(b"SSH-2.0-OpenSSH_9.6\r\n"), httpx.RemoteProtocolError),
    "no status": (answers_and(b"HTTP/1.1 abc\r\n\r\n"), httpx.RemoteProtocolError),
    "bad chunk": (answers_and(EVENTS + b"zz\r\nab"), httpx.RemoteProtocolError),
    "bad length": (answers_and(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), httpx.RemoteProtocolError),
    "two lengths": (answers_and(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), httpx.RemoteProtocolError),
    "no answer in time": (is_silent, httpx.ReadTimeout),
}  # fmt: skip


@pytest.mark.parametrize(("handler", "expected"), FAULTS.values(), ids=list(FAULTS))
def test_faults_of_an_answer(
    transport: Transport, handler: Handler, expected: type[httpx.TransportError]
) -> None:
    """A request that was answered wrongly on a new connection is not repeated here."""
    timeout = httpx.Timeout(10, read=0.2 if handler is is_silent else 10)

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport(), timeout=timeout) as client,
        ):
            with pytest.raises(httpx.TransportError) as caught:
                await client.post(server.url, content=b"{}")
            assert caught.type is expected
            assert str(caught.value.request.url) == server.url
            assert server.connections == 1

    run(main())


def test_an_answer_that_asks_for_another_protocol_is_an_error() -> None:
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"

    async def main() -> None:
        async with (
            serve(answers_and(upgrade)) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(server.url)

    run(main())


# ---- connecting ---------------------------------------------------------------------------------


def test_connection_refused(transport: Transport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"

        async def main() -> None:
            async with httpx.AsyncClient(transport=transport()) as client:
                with pytest.raises(httpx.ConnectError):
                    await client.post(url)

        run(main())


def test_a_name_that_cannot_be_one() -> None:
    async def main() -> None:
        async with httpx.AsyncClient(transport=Http1Transport()) as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(f"http://{'a' * 70}.invalid/")

    run(main())


def test_connecting_takes_too_long(transport: Transport) -> None:
    """The server accepts, but never begins with TLS."""

    async def main() -> None:
        async with (
            serve(is_silent) as server,
            httpx.AsyncClient(
                transport=transport(), timeout=httpx.Timeout(10, connect=0.2)
            ) as client,
        ):
            with pytest.raises(httpx.ConnectTimeout):
                await client.post(server.url.replace("http:", "https:"))

    run(main())


def test_a_server_that_does_not_speak_tls(transport: Transport) -> None:
    async def handler(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport()) as client,
        ):
            with pytest.raises(httpx.ConnectError):
                await client.post(server.url.replace("http:", "https:"))

    run(main())


FEW_FILES = """
import asyncio, resource, sys, httpx
from tinker._http.http1 import Http1Transport

resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))

async def main():
    async with httpx.AsyncClient(transport=Http1Transport(), timeout=20) as client:
        answers = await asyncio.gather(*(client.post(sys.argv[1]) for _ in range(200)))
        print(sum(answer.content == b"ok" for answer in answers))
    client = httpx.AsyncClient(transport=Http1Transport(), timeout=20)
    posting = [asyncio.create_task(client.post(sys.argv[2])) for _ in range(200)]
    while not any(task.done() for task in posting):
        await asyncio.sleep(0)
    for task in posting[100:120]:
        task.cancel()
    await client.aclose()
    ends = await asyncio.gather(*posting, return_exceptions=True)
    print({type(end).__name__ for end in ends} - {"Response", "CancelledError"})

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_more_requests_than_the_process_may_have_connections() -> None:
    """They wait for one another, and none fails; closing the client ends all of them."""

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(OK)

    async def main() -> None:
        async with serve(handler) as server, serve(answers_and(OK)) as closing:
            client = await asyncio.create_subprocess_exec(
                *[sys.executable, "-c", FEW_FILES, server.url, closing.url],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await client.communicate()
            assert output.split() == [b"200", b"{'ReadError'}"]
            assert server.connections < 30

    run(main())


# ---- idle connections ---------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["closed", "reset"])
def test_an_idle_connection_that_the_server_gives_up_fails_no_request(end: str) -> None:
    """The server gives up the connection just when the next request arrives on it."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            await peer.reader.read(1)
            if end == "reset":
                peer.reset()
            return
        await peer.gone()

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            for content in (b"{}", bytes(8_000_000)):
                assert (await client.post(server.url, content=content)).content == b"ok"
            assert server.connections == 2

    run(main())


def test_an_idle_connection_closed_long_before(transport: Transport) -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK)
            peer.writer.close()
            await peer.writer.wait_closed()
            closed.set()

        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport()) as client,
        ):
            for _ in range(3):
                closed.clear()
                assert (await client.post(server.url)).content == b"ok"
                await closed.wait()
            assert server.connections == 3

    run(main())


def test_it_is_repeated_once_and_only_if_nothing_has_come() -> None:
    async def main() -> None:
        async def begins_an_answer(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK)
            await peer.request()
            await peer.send(b"HTTP/1.1 200")

        async with (
            serve(begins_an_answer) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            await client.post(server.url)
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(server.url)
            assert server.connections == 1

        async def always_closes(peer: Peer) -> None:
            await peer.request()
            if peer.number == 0:
                await peer.send(OK)
                await peer.request()

        async with (
            serve(always_closes) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            await client.post(server.url)
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(server.url)
            assert server.connections == 2

    run(main())


@pytest.mark.parametrize("surplus", [b"?", OK, b"HTTP/1.1 200 OK\r\n"])
def test_a_connection_with_more_than_the_answer_is_not_used_again(surplus: bytes) -> None:
    """Else the next request would be given what was not meant for it."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % peer.number + surplus)
        await peer.gone()

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport()) as client,
        ):
            for number in range(3):
                assert (await client.post(server.url)).content == b"%d" % number

    run(main())


# ---- writing ------------------------------------------------------------------------------------


def test_a_slow_reader_gets_the_whole_body(transport: Transport) -> None:
    async def handler(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: %d" % len(LARGE) in head
        left = len(LARGE)
        while left:
            left -= len(await peer.reader.read(30_000))
        await peer.send(OK)
        await peer.gone()

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport(), timeout=30) as client,
        ):
            assert (await client.post(server.url, content=LARGE)).content == b"ok"

    run(main())


def test_a_large_body_is_not_copied() -> None:
    """What the server has not taken waits in the body itself, not in another buffer."""

    async def main() -> int:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def handler(peer: Peer) -> None:
            await peer.reader.readuntil(b"\r\n\r\n")
            begun.set()
            await go_on.wait()
            left = len(LARGE)
            while left:
                left -= len(await peer.reader.read(1_000_000))
            await peer.send(OK)

        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport(), timeout=30) as client,
        ):
            tracemalloc.start()
            try:
                posting = asyncio.create_task(client.post(server.url, content=LARGE))
                await begun.wait()
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            go_on.set()
            assert (await posting).content == b"ok"
            return peak

    assert run(main()) < len(LARGE) / 8


def test_nobody_reads_the_body(transport: Transport) -> None:
    async def handler(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(
                transport=transport(), timeout=httpx.Timeout(10, write=0.2)
            ) as client,
        ):
            with pytest.raises(httpx.WriteTimeout):
                await client.post(server.url, content=LARGE)

    run(main())


@pytest.mark.parametrize("end", ["close", "keep"])
def test_an_answer_before_the_whole_body_is_sent_is_the_answer(end: str) -> None:
    """A server that refuses a body need not read it; what it says is not lost with the connection."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much"

    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        if peer.number:
            await peer.send(OK)
            return
        await peer.send(refusal)
        if end == "keep":
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Http1Transport(), timeout=20) as client,
        ):
            response = await client.post(server.url, content=LARGE)
            assert (response.status_code, response.content) == (413, b"too much")
            # The rest of the body was not sent, so the connection carries nothing else.
            assert (await client.post(server.url)).content == b"ok"
            assert server.connections == 2

    run(main())


def test_an_answer_is_not_lost_when_writing_fails_first() -> None:
    """The server answers and resets the connection in one go, faster than the client looks at it."""
    times = 50

    def serve_in_thread(listening: socket.socket) -> None:
        for _ in range(times):
            connection, _ = listening.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(1000)
                connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much")

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            threading.Thread(target=serve_in_thread, args=[listening], daemon=True).start()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            async with httpx.AsyncClient(transport=Http1Transport(), timeout=20) as client:
                for _ in range(times):
                    response = await client.post(url, content=bytes(4_000_000))
                    assert (response.status_code, response.content) == (413, b"too much")

    run(main())


def test_the_server_goes_away_while_the_body_is_written(transport: Transport) -> None:
    async def handler(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.reset()

    async def main() -> None:
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport(), timeout=20) as client,
        ):
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                await client.post(server.url, content=LARGE)

    run(main())


# ---- giving up ----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["waiting", "writing", "reading"])
def test_a_cancelled_request_takes_its_connection_with_it(transport: Transport, when: str) -> None:
    async def main() -> None:
        arrived, left = asyncio.Event(), asyncio.Event()

        async def handler(peer: Peer) -> None:
            if peer.number == 0:
                await peer.reader.readuntil(b"\r\n\r\n")
                if when == "reading":
                    await peer.send(SHORT)
                arrived.set()
                if when == "writing":
                    transport = peer.writer.transport
                    transport.pause_reading()  # type: ignore[attr-defined]
                    await cancelled.wait()
                    transport.resume_reading()  # type: ignore[attr-defined]
                await peer.gone()
                left.set()
            else:
                await peer.request()
                await peer.send(OK)

        cancelled = asyncio.Event()
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=transport(), timeout=20) as client,
        ):
            content = LARGE if when == "writing" else b"{}"
            posting = asyncio.create_task(client.post(server.url, content=content))
            await arrived.wait()
            posting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await posting
            cancelled.set()
            await left.wait()
            assert (await client.post(server.url)).content == b"ok"
            assert server.connections == 2

    run(main())


def test_a_cancellation_after_the_answer_leaves_the_connection_to_others() -> None:
    """By then it may carry another request."""

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(OK)

    class Transport(Http1Transport):
        def release(self, connection: Any) -> None:
            super().release(connection)
            posting.cancel()

    posting: asyncio.Task[Any]

    async def main() -> None:
        nonlocal posting
        async with (
            serve(handler) as server,
            httpx.AsyncClient(transport=Transport(), timeout=20) as client,
        ):
            posting = asyncio.create_task(client.post(server.url))
            with pytest.raises(asyncio.CancelledError):
                await posting
            assert (await client.post(server.url)).content == b"ok"
            assert server.connections == 1

    run(main())


def test_closing_ends_requests_in_flight(transport: Transport) -> None:
    async def main() -> None:
        waiting, left = asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def handler(peer: Peer) -> None:
            await peer.request()
            waiting.release()
            await peer.gone()
            left.release()

        async with serve(handler) as server:
            client = httpx.AsyncClient(transport=transport())
            posting = [asyncio.create_task(client.post(server.url)) for _ in range(3)]
            for _ in posting:
                await waiting.acquire()
            await client.aclose()
            for task in posting:
                with pytest.raises((httpx.TransportError, RuntimeError)):
                    await task
            for _ in posting:
                await left.acquire()

    run(main())


def test_a_closed_transport_opens_no_connection() -> None:
    async def main() -> None:
        async with serve(closes) as server:
            transport = Http1Transport()
            await transport.aclose()
            with pytest.raises(httpx.TransportError, match="closed"):
                await transport.handle_async_request(httpx.Request("GET", server.url))
            assert server.connections == 0

    run(main())


def test_nothing_is_left_behind() -> None:
    """After every fault, and after closing, no connection is open and nothing is said at exit."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        complaints: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        transport = Http1Transport()
        for handler, expected in FAULTS.values():
            transport = Http1Transport()
            async with serve(handler) as server, httpx.AsyncClient(transport=transport) as client:
                timeout = 0.05 if handler is is_silent else 10
                with pytest.raises(expected):
                    await client.post(server.url, content=b"{}", timeout=timeout)
                while transport.open:  # noqa: ASYNC110  # the transport has no event for it
                    await asyncio.sleep(0)  # until the loop has closed the socket
        async with serve(answers_and(OK)) as server:
            client = httpx.AsyncClient(transport=Http1Transport())
            await client.post(server.url)
            await client.aclose()
        del client, transport
        gc.collect()
        assert complaints == []

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        run(main())


def test_a_tls_server_that_goes_away(transport: Transport) -> None:
    """The handshake is cut."""

    async def handler(peer: Peer) -> None:
        await peer.reader.read(1)

    async def main() -> None:
        async with serve(handler) as server, httpx.AsyncClient(transport=transport()) as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(server.url.replace("http:", "https:"))

    run(main())
