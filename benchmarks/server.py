"""The server of the benchmarks: cheap enough not to be the limit, and the same for every client.

    python benchmarks/server.py        prints its base URL, serves until stdin is closed

It computes nothing: a result has the right shape and was encoded once. What it costs is a request's
parsing, about 0.03 ms. It answers in the encoding a client asks for. `POST /bench/knobs` sets the
knobs below and clears the counts; `GET /bench/counts` reads them.
"""

from __future__ import annotations

import asyncio
import functools
import re
import struct
import sys
import time
from collections import Counter, defaultdict
from typing import Any, cast

import httptools
import numpy as np
import orjson
from attrs import define, field

from tinker._codec import zstd
from tinker_proto import tinker_pb2 as pb

JSON, PROTOBUF = b"application/json", b"application/x-protobuf"
HELD = 30.0
"""Seconds after which a poll is answered with try_again."""


@define
class Knobs:
    tokens: int = 64
    """Tokens of each datum, and so numbers in each output."""
    seconds: float = 0.0
    """From a training operation's turn to its result. Operations of a model take turns."""
    sample_seconds: float = 0.0
    """From the acceptance of a sample to its result."""
    sample_tokens: int = 64
    protobuf: bool = True
    """Whether batches are read, and results written, in protobuf; otherwise a server of JSON alone."""
    zstd: bool = False
    """Whether clients are told to compress batches."""
    checkpoints: int = 5000


@define
class State:
    knobs: Knobs = field(factory=Knobs)
    counts: Counter[str] = field(factory=Counter)
    promises: dict[str, tuple[str, int, float]] = field(factory=dict)
    """What kind of result, of how many parts, when."""
    busy_until: dict[bytes, float] = field(factory=lambda: defaultdict(float))
    models: int = 0
    last_heartbeat: float = 0.0
    longest_silence: float = 0.0


state = State()


# ---- canned results -----------------------------------------------------------------------------


def _numbers(count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return -np.random.default_rng(7).exponential(1.0, count).astype(np.float32)


@functools.lru_cache(64)
def forward_backward_json(datums: int, tokens: int) -> bytes:
    """Without its last brace, for the metrics that follow."""
    values = _numbers(tokens)
    tensor = {"data": values, "dtype": "float32", "shape": [tokens]}
    outputs = [{"logprobs": tensor, "elementwise_loss": tensor}] * datums
    body = {
        "type": "forward_backward",
        "loss_fn_output_type": "CrossEntropyLossReturn",
        "loss_fn_outputs": outputs,
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)[:-1]


@functools.lru_cache(64)
def forward_backward_protobuf(datums: int, tokens: int) -> bytes:
    """Without the metrics, which may follow: parts of a message are merged by who reads it."""
    tensor = pb.BatchedTensor(
        data=_numbers(tokens).tobytes() * datums,
        offsets=(np.arange(datums + 1, dtype=np.int64) * tokens * 4).tobytes(),
        dtype=pb.DTYPE_FLOAT32,
    )
    record = pb.ArrayRecord(
        type_tag="CrossEntropyLossReturn",
        fields={"logprobs": tensor, "elementwise_loss": tensor},
        num_datums=datums,
    )
    return pb.ForwardBackwardOutput(
        loss_fn_output_type="CrossEntropyLossReturn", loss_fn_outputs=[record]
    ).SerializeToString()


def forward_backward(datums: int, ready: float, encoding: bytes) -> bytes:
    """`ready` travels as a metric, for clients to tell how old the result is."""
    tokens = state.knobs.tokens
    if encoding == JSON:
        return forward_backward_json(datums, tokens) + b',"metrics":{"ready:mean":%r}}' % ready
    metrics = pb.ForwardBackwardOutput(metrics={"ready:mean": ready})
    return forward_backward_protobuf(datums, tokens) + metrics.SerializeToString()


@functools.lru_cache(64)
def sample(samples: int, tokens: int, encoding: bytes) -> bytes:
    ids, logprobs = np.arange(1000, 1000 + tokens, dtype=np.int32), _numbers(tokens)
    if encoding == JSON:
        sequence = {"stop_reason": "length", "tokens": ids, "logprobs": logprobs}
        body = {"type": "sample", "sequences": [sequence] * samples}
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    one = pb.SampledSequence(
        stop_reason=pb.STOP_REASON_LENGTH, tokens=ids.tobytes(), logprobs=logprobs.tobytes()
    )
    return pb.SampleResponse(sequences=[one] * samples).SerializeToString()


@functools.lru_cache(64)
def checkpoints(limit: int, offset: int, total: int) -> bytes:
    entries = [
        {
            "checkpoint_id": f"weights/step-{n:05}",
            "checkpoint_type": "training",
            "time": "2026-01-02T03:04:05.678901Z",
            "tinker_path": f"tinker://S:train:0/weights/step-{n:05}",
            "size_bytes": 42_000_000 + n,
            "public": False,
            "user_metadata": {"step": str(n)},
            "expires_at": "2027-01-02T03:04:05Z",
        }
        for n in range(offset, min(offset + limit, total))
    ]
    cursor = {"offset": offset, "limit": limit, "total_count": total}
    return orjson.dumps({"checkpoints": entries, "cursor": cursor})


# ---- requests -----------------------------------------------------------------------------------


def datums_of(body: bytes, content_type: bytes) -> int:
    """How many datums a batch has, without decoding it."""
    if content_type == JSON:
        return body.count(b'"model_input"')
    count = place = 0
    while place < len(body):
        tag, place = _varint(body, place)
        value, place = _varint(body, place)  # of fields without a length, their value
        if tag & 7 == 2:
            place += value
        count += tag >> 3 == 3
    return count


def _varint(body: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


_MODEL = re.compile(rb"S:train:\d+")
_CONFIG = {"parallel_fwdbwd_chunks": True, "fwdbwd_max_chunk_len": 1024}


def promise(kind: str, parts: int, seconds: float, turn: bytes | None = None) -> bytes:
    """Accept an operation; those with the same `turn` are worked on one after the other."""
    now = time.monotonic()
    ready = max(now, state.busy_until[turn]) + seconds if turn is not None else now + seconds
    if turn is not None:
        state.busy_until[turn] = ready
    request_id = f"S:{len(state.promises)}"
    state.promises[request_id] = (kind, parts, ready)
    body: dict[str, Any] = {"request_id": request_id}
    if kind == "sample":
        body["sample_sequence_ids"] = [f"{request_id}:{n}" for n in range(parts)]
    return orjson.dumps(body)


def answer(path: str, query: str, body: bytes, content_type: bytes) -> bytes:
    """The JSON answer of every route but retrieve_future."""
    knobs = state.knobs
    match path.rpartition("/api/v1/")[2]:
        case "asample":
            return promise("sample", orjson.loads(body)["num_samples"], knobs.sample_seconds)
        case "forward_backward":
            if content_type == PROTOBUF and body.startswith(b"\x28\xb5\x2f\xfd"):
                body = zstd.ZstdDecompressor().decompress(body)
            # Before or behind the data.
            turn = _MODEL.search(body, 0, 200) or _MODEL.search(body, max(len(body) - 200, 0))
            assert turn is not None
            return promise(
                "forward_backward", datums_of(body, content_type), knobs.seconds, turn[0]
            )
        case "optim_step":
            turn = _MODEL.search(body)
            assert turn is not None
            return promise("optim_step", 0, knobs.seconds, turn[0])
        case "create_model":
            state.models += 1
            return promise("create_model", state.models, 0.0)
        case "client/config":
            return orjson.dumps({**_CONFIG, "proto_compress_fwdbwd": knobs.zstd})
        case "create_session":
            return b'{"type":"create_session","session_id":"S"}'
        case "session_heartbeat":
            now = time.monotonic()
            if state.last_heartbeat:
                state.longest_silence = max(state.longest_silence, now - state.last_heartbeat)
            state.last_heartbeat = now
            return b'{"type":"session_heartbeat"}'
        case "create_sampling_session":
            return b'{"type":"create_sampling_session","sampling_session_id":"S:sample:0"}'
        case "get_info":
            model_id = orjson.loads(body)["model_id"]
            data = {"arch": "a", "model_name": "Qwen/Qwen3-8B", "tokenizer_id": "Qwen/Qwen3-8B"}
            return orjson.dumps({"type": "get_info", "model_id": model_id, "model_data": data})
        case "checkpoints":
            asked = dict(part.split("=") for part in query.split("&"))
            return checkpoints(int(asked["limit"]), int(asked["offset"]), knobs.checkpoints)
        case "telemetry":
            return b'{"status":"accepted"}'
        case _:
            return b"{}"


def result(request_id: str, encoding: bytes) -> tuple[bytes, bytes]:
    """A finished operation's result and its content type."""
    kind, parts, ready = state.promises[request_id]
    if kind == "sample":
        return sample(parts, state.knobs.sample_tokens, encoding), encoding
    if kind == "forward_backward":
        return forward_backward(parts, ready, encoding), encoding
    if kind == "optim_step":
        return b'{"type":"optim_step","metrics":{"ready:mean":%r}}' % ready, JSON
    return orjson.dumps({"type": kind, "model_id": f"S:train:{parts - 1}"}), JSON


# ---- connections --------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._headers: dict[bytes, bytes] = {}
        self._url = b""
        self._answered = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        state.counts["connections"] += 1

    def data_received(self, data: bytes) -> None:
        state.counts["bytes out"] += len(data)
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body, headers = b"".join(self._body), self._headers
        path, _, query = self._url.decode().partition("?")
        self._body, self._headers, self._url = [], {}, b""
        state.counts["requests"] += 1
        if path.startswith("/bench/"):
            self._send(bench(path, body), JSON)
        elif path.endswith("/retrieve_future"):
            state.counts["polls"] += 1
            asked_for = PROTOBUF in headers.get(b"accept", b"")
            encoding = PROTOBUF if asked_for and state.knobs.protobuf else JSON
            self._answer_poll(orjson.loads(body)["request_id"], encoding, time.monotonic())
        elif path.endswith("/client/config") and not state.knobs.protobuf:
            self._send(b'{"detail":"Not Found"}', JSON, b"404 Not Found")
        else:
            self._send(answer(path, query, body, headers.get(b"content-type", JSON)), JSON)

    def _answer_poll(self, request_id: str, encoding: bytes, asked: float) -> None:
        now, ready = time.monotonic(), state.promises[request_id][2]
        if now >= ready:
            self._send(*result(request_id, encoding))
        elif now - asked >= HELD:
            again = {"type": "try_again", "request_id": request_id, "queue_state": "active"}
            self._send(orjson.dumps(again), JSON)
        else:
            # Timers are late by up to a millisecond, which would be counted as the client's: turn
            # round and round at the end.
            pause = min(ready, asked + HELD) - now - 0.0015
            arguments = (request_id, encoding, asked)
            if pause > 0:
                self._loop.call_later(pause, self._answer_poll, *arguments)
            else:
                self._loop.call_soon(self._answer_poll, *arguments)

    def _send(self, body: bytes, content_type: bytes, status: bytes = b"200 OK") -> None:
        head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        data = head % (status, content_type, len(body)) + body
        state.counts["bytes in"] += len(data)
        if not self._transport.is_closing():
            self._transport.write(data)


def bench(path: str, body: bytes) -> bytes:
    global state  # noqa: PLW0603  # one server, one state
    if path.endswith("/knobs"):
        state = State(knobs=Knobs(**orjson.loads(body)))
        return b"{}"
    return orjson.dumps({**state.counts, "longest silence": state.longest_silence})


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    assert struct.pack("=i", 1)[0] == 1, "the arrays of the protocol are little-endian"
    asyncio.run(main())
