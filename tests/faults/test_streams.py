"""Streams of samples: broken, malformed, refused, given up; and servers that have none."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tinker
from tests.support.raw_server import Peer
from tests.support.sampling_server import SamplingServer
from tinker._protocol import back_pressure, loop
from tinker.types import StreamSampleEvent

PROMPT = tinker.ModelInput.from_ints([7])
PARAMS = tinker.SamplingParams(max_tokens=3)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"
END = {"finish_reason": "stop", "index": 0, "total_tokens": 3}


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def sends(*pieces: bytes) -> Callable[[Peer, Any], Any]:
    async def stream(peer: Peer, body: Any) -> None:
        await peer.send(HEAD)
        for piece in pieces:
            await peer.send(piece)

    return stream


TOKENS = [event(token_id=n, token=str(n), logprob=-n, index=0) for n in (1, 2)]


def test_events_are_as_they_are_sent() -> None:
    pieces = b"".join(
        [
            b": hello\n\n",
            *TOKENS,
            event(token_id=3, token="3", finish_reason="stop", total_tokens=3),
        ]
    )
    halves = [pieces[n : n + 7] for n in range(0, len(pieces), 7)]
    with SamplingServer(stream=sends(*halves)) as server:
        events = list(server.sampler().sample_stream(PROMPT, PARAMS))
    assert events == [
        StreamSampleEvent(token_id=1, token="1", logprob=-1, index=0),
        StreamSampleEvent(token_id=2, token="2", logprob=-2, index=0),
        StreamSampleEvent(token_id=3, token="3", finish_reason="stop", total_tokens=3, index=0),
    ]
    (request,) = server.requests["stream_sample"]
    assert request["num_samples"] == 1
    assert request["seq_id"] == 0


def test_it_ends_when_every_sample_has_ended() -> None:
    ends = [event(index=n, finish_reason="length", total_tokens=0) for n in (1, 0)]
    with SamplingServer(stream=sends(*ends, event(index=0, token_id=9))) as server:
        events = list(server.sampler().sample_stream(PROMPT, PARAMS, 2))
    assert [e.index for e in events] == [1, 0]


@pytest.mark.parametrize(
    ("pieces", "error", "text"),
    [
        (TOKENS, tinker.APIConnectionError, "broke after 2 tokens, before the sample was complete"),
        ([], tinker.APIConnectionError, "broke after 0 tokens"),
        (
            [*TOKENS, event(error="out of memory")],
            tinker.RequestFailedError,
            "failed after 2 tokens: out of m",
        ),
        (
            [TOKENS[0], b"data: <html>\n\n"],
            tinker.APIResponseValidationError,
            "the stream sent an invalid event: '<html>'",
        ),
        ([b"data: [1]\n\n"], tinker.APIResponseValidationError, "the stream sent an invalid event"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_has_come_is_read_before_the_error(
    pieces: list[bytes], error: type[Exception], text: str, asynchronous: bool
) -> None:
    read: list[StreamSampleEvent] = []

    async def read_all(stream: Any) -> None:
        async for each in stream:
            read.append(each)  # noqa: PERF401  # what has come stays

    with SamplingServer(stream=sends(*pieces)) as server:
        stream = server.sampler().sample_stream(PROMPT, PARAMS)
        with pytest.raises(error, match=text) as failed:
            if asynchronous:
                asyncio.run(read_all(stream))
            for each in stream:
                read.append(each)  # noqa: PERF402
        assert "stream_sample (sampling_session_id=s:sample:0, seq_id=0)" in str(failed.value)
        assert list(stream) == []  # it is over
    assert [e.token_id for e in read] == [1, 2][: sum(piece in TOKENS for piece in pieces)]
    assert len(server.requests["stream_sample"]) == 1  # not sent again


def test_a_stream_is_sent_again_while_the_server_says_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(back_pressure, "_FIRST_PAUSE", 0.005)
    refusals = 3

    async def stream(peer: Peer, body: Any) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            await peer.send(b"HTTP/1.1 429 X\r\nContent-Length: 2\r\n\r\n{}")
        else:
            await sends(*TOKENS, event(**END))(peer, body)

    with SamplingServer(stream=stream) as server:
        assert len(list(server.sampler().sample_stream(PROMPT, PARAMS))) == 3
    assert [request["seq_id"] for request in server.requests["stream_sample"]] == [0] * 4


def test_a_refusal_says_why() -> None:
    async def stream(peer: Peer, body: Any) -> None:
        detail = b'{"detail": "the prompt is too long"}'
        await peer.send(b"HTTP/1.1 400 X\r\nContent-Length: %d\r\n\r\n%s" % (len(detail), detail))

    with SamplingServer(stream=stream) as server:
        events = server.sampler().sample_stream(PROMPT, PARAMS)
        with pytest.raises(tinker.BadRequestError, match="the prompt is too long"):
            next(events)


def leave_the_loop(client: tinker.SamplingClient) -> None:
    for _ in client.sample_stream(PROMPT, PARAMS):
        break


def leave_the_block(client: tinker.SamplingClient) -> None:
    with client.sample_stream(PROMPT, PARAMS) as stream:
        next(stream)


def close(client: tinker.SamplingClient) -> None:
    stream = client.sample_stream(PROMPT, PARAMS)
    next(stream)
    stream.close()
    stream.close()
    assert list(stream) == []


def cancel_the_reader(client: tinker.SamplingClient) -> None:
    async def read() -> None:
        first = asyncio.Event()

        async def reader() -> None:
            async for _ in client.sample_stream(PROMPT, PARAMS):
                first.set()

        task = asyncio.create_task(reader())
        await first.wait()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(read())


def fail_in_the_loop(client: tinker.SamplingClient) -> None:
    async def read() -> None:
        async with client.sample_stream(PROMPT, PARAMS) as stream:
            async for _ in stream:
                raise ValueError

    with pytest.raises(ValueError):
        asyncio.run(read())


@pytest.mark.parametrize(
    "leave", [leave_the_loop, leave_the_block, close, cancel_the_reader, fail_in_the_loop]
)
def test_leaving_a_stream_ends_it(leave: Callable[[tinker.SamplingClient], None]) -> None:
    gone = False

    async def stream(peer: Peer, body: Any) -> None:
        nonlocal gone
        await peer.send(HEAD + TOKENS[0])
        await peer.gone()
        gone = True

    with SamplingServer(stream=stream) as server:
        client = server.sampler()
        leave(client)
        server.wait_until(lambda: gone)


def test_a_reader_that_is_slow_holds_the_server_up() -> None:
    """What the server sends is read no faster than the events are, except for what buffers hold."""
    many = TOKENS[0] * 5_000
    sent = 0

    async def stream(peer: Peer, body: Any) -> None:
        nonlocal sent
        await peer.send(HEAD)
        for _ in range(200):
            await peer.send(many)
            sent += len(many)

    with SamplingServer(stream=stream) as server:
        events = server.sampler().sample_stream(PROMPT, PARAMS)
        for n in range(20_000):
            assert next(events).token_id == 1
            assert sent - n * len(TOKENS[0]) < 24e6
        events.close()


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_streams_gives_all_tokens_at_once(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(peer: Peer, body: Any) -> None:
        await peer.send(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    with SamplingServer(stream=refuse) as server, caplog.at_level(logging.WARNING, "tinker"):
        client = server.sampler()
        for _ in range(2):
            events = list(client.sample_stream(PROMPT, PARAMS))
            assert [(e.token_id, e.finish_reason) for e in events] == [(7, None), (None, "stop")]
    assert len(server.requests["stream_sample"]) == 2  # believed when told twice, and remembered
    assert [line for line in caplog.messages if "does not stream samples" in line] == [
        f"{server.url} does not stream samples: their tokens come when they are complete."
    ]


def test_tokens_that_come_without_their_text_are_given_it(caplog: pytest.LogCaptureFixture) -> None:
    prompt = tinker.ModelInput.from_ints(list("né".encode()))
    with SamplingServer() as server:
        events = list(server.sampler().sample_stream(prompt, PARAMS))
        assert [e.token for e in events] == ["n", "", "é", None]
        with caplog.at_level(logging.WARNING, "tinker"):
            unknown = server.sampler(base_model="./no-such-folder")
            events = list(unknown.sample_stream(prompt, PARAMS))
    assert [(e.token_id, e.token) for e in events[:-1]] == [(n, None) for n in "né".encode()]
    assert sum("have no text" in line for line in caplog.messages) == 1


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_sample_that_ends_inside_a_character_loses_no_text(pieces: int) -> None:
    ids = "né".encode()[:2]  # the é has begun
    sent = [*(event(token_id=n, index=0) for n in ids), event(**END)]
    with SamplingServer(stream=sends(*sent if pieces > 1 else [b"".join(sent)])) as server:
        events = list(server.sampler().sample_stream(PROMPT, PARAMS))
    assert "".join(e.token or "" for e in events) == ids.decode(errors="replace") == "n\ufffd"


def test_leaving_a_sample_that_is_not_streamed_cancels_it() -> None:
    with SamplingServer(per_tick=0) as server:
        stream = server.sampler().sample_stream(PROMPT, PARAMS)
        server.wait_until(lambda: len(server.sampled) == 1)
        del stream
        server.wait_until(lambda: server.cancelled == [f"s:sample:0:{next(iter(server.sampled))}"])


def test_a_stream_is_one_of_the_samples_in_flight() -> None:
    async def stream(peer: Peer, body: Any) -> None:
        await peer.send(HEAD + TOKENS[0])
        await peer.gone()

    config = {"sample_max_concurrent_requests": 1}
    with SamplingServer(stream=stream, config=config) as server:
        client = server.sampler()
        events = client.sample_stream(PROMPT, PARAMS)
        next(events)
        waiting = client.sample(PROMPT, 1, PARAMS)
        with pytest.raises(TimeoutError, match="waiting for other samples of the client to end"):
            waiting.result(timeout=0.05)
        events.close()
        assert waiting.result(timeout=10).sequences[0].tokens == [7]


def test_bad_input_is_refused_at_once() -> None:
    with SamplingServer() as server:
        client = server.sampler()
        with pytest.raises(ValueError, match="num_samples is 0"):
            client.sample_stream(PROMPT, PARAMS, 0)
        with pytest.raises(ValueError, match="prompt is empty"):
            client.sample_stream(tinker.ModelInput.empty(), PARAMS)
        assert server.requests["asample"] == server.requests["stream_sample"] == []


def test_what_waits_for_a_stream_that_another_closes_ends() -> None:
    """As at its end: neither an error nor a cancellation of the reader."""

    async def stream(peer: Peer, body: Any) -> None:
        await peer.send(HEAD + TOKENS[0])
        await peer.gone()

    async def read(client: tinker.SamplingClient) -> list[int | None]:
        found, first = [], asyncio.Event()
        open_stream = client.sample_stream(PROMPT, PARAMS)

        async def reader() -> None:
            async for one in open_stream:
                found.append(one.token_id)
                first.set()

        task = asyncio.create_task(reader())
        await first.wait()
        await asyncio.sleep(0)  # it waits for the next event now
        open_stream.close()
        await asyncio.wait_for(task, 10)
        return found

    with SamplingServer(stream=stream) as server:
        assert asyncio.run(read(server.sampler())) == [1]
        threads, open_stream = [], server.sampler().sample_stream(PROMPT, PARAMS)
        assert repr(open_stream).startswith("<SampleStream stream_sample")
        assert next(open_stream).token_id == 1
        thread = threading.Thread(target=lambda: threads.append(next(open_stream, None)))
        thread.start()
        open_stream.close()
        thread.join(10)
        assert threads == [None]


def test_a_stream_is_not_read_on_the_thread_that_reads_it() -> None:
    with SamplingServer(stream=sends(*TOKENS, event(**END))) as server:
        client = server.sampler()

        async def on_the_loop() -> None:
            next(client.sample_stream(PROMPT, PARAMS))

        with pytest.raises(RuntimeError, match=r"next\(\) would block .*: use `async for`"):
            loop.submit(on_the_loop()).result(10)
