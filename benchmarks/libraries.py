"""What each hand-written part gains over the best library there is: the same work, on one machine.

    python benchmarks/libraries.py [--smoke]       prints a table; `make bench` runs it

Each piece of work is checked to have the same outcome with every library. A figure is the CPU of the whole process in
the fastest of some runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
HERE = REPOSITORY / "benchmarks"
FILES = REPOSITORY / ".cache" / "tokenizers"
OURS = "ours"

HEADER = ["part", "work", "ours", "libraries", "ours ÷ the best of them", "reach", ""]


def fastest(action: Callable[[], object], times: int) -> float:
    """CPU seconds of the fastest run: the others were disturbed."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        result = action()
        taken.append(time.process_time() - began)
        del result
    return min(taken)


def row(part: str, work: str, seconds: dict[str, float], reach: float | None = None) -> list[str]:
    """Compare ours with the others, best first; `reach` is the share of the last library, which everybody uses."""
    ours = seconds.pop(OURS)
    everybody = list(seconds.values())[-1]
    ranked = sorted(seconds.items(), key=lambda pair: pair[1])
    goal = verdict = ""
    if reach is not None:
        goal = f"≤ {reach} of {list(seconds)[-1]}"
        verdict = "reached" if ours <= reach * everybody else "not reached"
    libraries = ", ".join(f"{name} {show(taken)}" for name, taken in ranked)
    return [part, work, show(ours), libraries, f"{ours / ranked[0][1]:.2f}", goal, verdict]


def show(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


# ---- codec --------------------------------------------------------------------------------------


def codec(datums: int, tokens: int, times: int) -> Iterator[list[str]]:
    """A batch to bytes, and the bytes of a result to arrays."""
    import msgspec
    import numpy as np
    import orjson

    import tinker
    from tinker import types
    from tinker._codec import protobuf
    from tinker_proto import tinker_pb2 as pb

    rng = np.random.default_rng(1)
    ids = rng.integers(0, 150_000, (datums, tokens + 1))
    weights = np.ones((datums, tokens), np.float32)
    data = [
        tinker.Datum(
            tinker.ModelInput.from_ints(ids[n, :-1]),
            {"target_tokens": ids[n, 1:], "weights": weights[n]},
        )
        for n in range(datums)
    ]

    texts = [ids[n, :-1].astype(np.int32) for n in range(datums)]

    def ours() -> bytes:
        return protobuf.encode_forward_backward(
            "model", 1, data, "cross_entropy", None, forward_only=False
        )

    def by_protobuf() -> bytes:
        message = pb.ForwardBackwardRequest(model_id="model", seq_id=1, loss_fn="cross_entropy")
        for datum, text in zip(data, texts, strict=True):
            added = message.data.add()
            added.model_input.add().encoded_text.tokens = text.tobytes()
            for name, tensor in datum.loss_fn_inputs.items():
                one = added.loss_fn_inputs[name]
                one.dense = tensor.values_np.tobytes()
                one.dtype = pb.DTYPE_INT64 if tensor.dtype == "int64" else pb.DTYPE_FLOAT32
                one.shape.extend(tensor.shape)
        return message.SerializeToString()

    def plain(values: Callable[[Any], Any]) -> dict[str, Any]:
        batch = [
            {
                "model_input": {"chunks": [{"type": "encoded_text", "tokens": values(text)}]},
                "loss_fn_inputs": {
                    name: {
                        "data": values(tensor.values_np),
                        "dtype": tensor.dtype,
                        "shape": tensor.shape,
                    }
                    for name, tensor in datum.loss_fn_inputs.items()
                },
            }
            for datum, text in zip(data, texts, strict=True)
        ]
        return {
            "model_id": "model",
            "seq_id": 1,
            "forward_backward_input": {"data": batch, "loss_fn": "cross_entropy"},
        }

    def by_orjson() -> bytes:
        return orjson.dumps(plain(lambda array: array), option=orjson.OPT_SERIALIZE_NUMPY)

    def by_msgspec() -> bytes:
        encoded: bytes = msgspec.json.encode(plain(lambda array: array.tolist()))
        return encoded

    parse = pb.ForwardBackwardRequest.FromString
    assert parse(ours()) == parse(by_protobuf())
    assert orjson.loads(by_orjson()) == orjson.loads(by_msgspec())
    encoders = {OURS: ours, "protobuf": by_protobuf, "orjson": by_orjson, "msgspec": by_msgspec}
    work = f"{datums} datums of {tokens:,} tokens to bytes"
    yield row("codec", work, {name: fastest(one, times) for name, one in encoders.items()})

    values = -rng.exponential(1.0, datums * tokens).astype(np.float32)
    tensor = pb.BatchedTensor(
        data=values.tobytes(),
        offsets=(np.arange(datums + 1, dtype=np.int64) * tokens * 4).tobytes(),
        dtype=pb.DTYPE_FLOAT32,
    )
    record = pb.ArrayRecord(fields={"logprobs": tensor}, num_datums=datums)
    binary = pb.ForwardBackwardOutput(loss_fn_outputs=[record]).SerializeToString()
    outputs = [
        {"logprobs": {"data": one, "dtype": "float32", "shape": [tokens]}}
        for one in values.reshape(datums, tokens)
    ]
    text = orjson.dumps({"loss_fn_outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)

    one_tensor: Any = msgspec.defstruct(
        "Tensor", [("data", list[float]), ("dtype", str), ("shape", list[int])]
    )
    decoder: Any = msgspec.json.Decoder(
        msgspec.defstruct("Output", [("loss_fn_outputs", list[dict[str, one_tensor]])])
    )

    def read_ours() -> list[types.LossFnOutput]:
        return protobuf.decode_forward_backward_output(binary).loss_fn_outputs

    def read_protobuf() -> list[types.LossFnOutput]:
        read: list[types.LossFnOutput] = []
        for part in pb.ForwardBackwardOutput.FromString(binary).loss_fn_outputs:
            columns = {}
            for name, batched in part.fields.items():
                flat = np.frombuffer(batched.data, np.float32).copy()
                ends = (np.frombuffer(batched.offsets, np.int64) // 4).tolist()
                columns[name] = [
                    types.TensorData._of(flat[a:b], "float32", [b - a])
                    for a, b in itertools.pairwise(ends)
                ]
            read += [
                {name: column[n] for name, column in columns.items()}
                for n in range(part.num_datums)
            ]
        return read

    def read_orjson() -> list[types.LossFnOutput]:
        return [
            {
                name: types.TensorData._of(
                    np.array(found["data"], np.float32), "float32", found["shape"]
                )
                for name, found in output.items()
            }
            for output in orjson.loads(text)["loss_fn_outputs"]
        ]

    def read_msgspec() -> list[types.LossFnOutput]:
        return [
            {
                name: types.TensorData._of(np.array(one.data, np.float32), "float32", one.shape)
                for name, one in output.items()
            }
            for output in decoder.decode(text).loss_fn_outputs
        ]

    decoders = {
        OURS: read_ours, "protobuf": read_protobuf, "orjson": read_orjson, "msgspec": read_msgspec,
    }  # fmt: skip
    assert read_ours() == read_protobuf() == read_orjson() == read_msgspec()
    work = f"a result of {datums} times {tokens:,} numbers to arrays"
    yield row("codec", work, {name: fastest(one, times) for name, one in decoders.items()})


# ---- transport ----------------------------------------------------------------------------------

BODY = b'{"request_id":"S:1","tokens":[' + b",".join([b"150000"] * 512) + b"]}"
IN_FLIGHT = 200


def transport(requests: int, times: int) -> Iterator[list[str]]:
    """Small requests, 200 of them in flight."""
    command = [sys.executable, str(HERE / "server.py")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            base = server.stdout.readline().strip()
            clients = {
                OURS: _ours,
                "aiohttp": _aiohttp,
                "httpx on aiohttp": _httpx_aiohttp,
                "httpx on httpcore": _httpx,
            }
            seconds = {
                name: min(asyncio.run(client(base, requests)) for _ in range(times))
                for name, client in clients.items()
            }
            yield row("transport", f"a POST of 4 kB, {IN_FLIGHT} in flight", seconds)
        finally:
            server.stdin.close()


async def _all(post: Callable[[], Awaitable[bytes]], count: int) -> float:
    """CPU seconds of a request, each of 200 tasks sending one after the other once there are connections."""

    async def send(left: Iterator[int]) -> None:
        for _ in left:
            assert await post() == b'{"status":"accepted"}'

    async def send_all() -> None:
        left = iter(range(count))
        await asyncio.gather(*(send(left) for _ in range(min(IN_FLIGHT, count))))

    await send_all()
    began = time.process_time()
    await send_all()
    return (time.process_time() - began) / count


_PATH = "/api/v1/telemetry"
_HEADERS: dict[str, str] = {"Content-Type": "application/json", "Accept": "application/json"}


async def _by_httpx(client: Any, count: int) -> float:
    async def post() -> bytes:
        response = await client.post(_PATH, content=BODY, headers=_HEADERS)
        content: bytes = response.content
        return content

    async with client:
        return await _all(post, count)


async def _ours(base: str, count: int) -> float:
    from tinker._http.client import make_client
    from tinker._http.config import Settings

    return await _by_httpx(make_client(Settings(base_url=base, api_key="tml-bench"), {}), count)


async def _httpx(base: str, count: int) -> float:
    import httpx

    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)
    return await _by_httpx(httpx.AsyncClient(base_url=base, limits=limits, timeout=60.0), count)


async def _httpx_aiohttp(base: str, count: int) -> float:
    from httpx_aiohttp import HttpxAiohttpClient

    return await _by_httpx(HttpxAiohttpClient(base_url=base, timeout=60.0), count)


async def _aiohttp(base: str, count: int) -> float:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1000)) as session:

        async def post() -> bytes:
            async with session.post(base + _PATH, data=BODY, headers=_HEADERS) as response:
                content: bytes = await response.read()
            return content

        return await _all(post, count)


# ---- tokenizers ---------------------------------------------------------------------------------

_SPLITS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{%s}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Llama 3": ("llama3/tokenizer.model", _SPLITS % "1,3", {"bos": "<|begin_of_text|>"}),
    "Qwen 3": ("qwen/qwen.tiktoken", _SPLITS % "1", {"normalizer": "NFC", "every_split": False}),
}


def tokenizers(characters: int, times: int) -> Iterator[list[str]]:
    """A megabyte of mixed text in ids. The files are those of tests/compat/tokenizers."""
    import fastokens

    sys.path.insert(0, str(REPOSITORY))  # for tests/
    from tests.compat.tokenizers import fetch
    from tests.support import original_tokenizers as original
    from tests.support.mixed_text import mixed_text
    from tinker.tokenizers import get_tokenizer

    with contextlib.redirect_stdout(sys.stderr):  # the table is for standard output
        fetch.fetch(FILES)
    text = mixed_text()[:characters]
    for name, (file, pattern, options) in _CASES.items():
        ours = get_tokenizer(FILES / file)
        vocabulary = ours.get_added_vocab()
        added = sorted(vocabulary, key=vocabulary.__getitem__)
        ranks = original.read_ranks(FILES / file)
        description = original.tokenizer_json(ranks, pattern, added, **options)
        theirs = original.load(description)
        fast = fastokens.Tokenizer.from_json_str(description)
        encoders: dict[str, Callable[[], Sequence[int]]] = {
            OURS: lambda ours=ours: ours.encode(text, add_special_tokens=False),  # type: ignore[misc]
            "fastokens": lambda fast=fast: fast.encode(text).ids,  # type: ignore[misc]
            "tokenizers": lambda theirs=theirs: theirs.encode(text, add_special_tokens=False).ids,  # type: ignore[misc]
        }
        ids = [list(encode()) for encode in encoders.values()]
        assert ids[0] == ids[1] == ids[2]
        seconds = {label: fastest(encode, times) for label, encode in encoders.items()}
        yield row("tokenizers", f"1 MB of mixed text, {name}", seconds, reach=0.2)


def main() -> None:
    smoke = "--smoke" in sys.argv
    times = 1 if smoke else 5
    print("| " + " | ".join(HEADER) + " |\n" + "|" + "---|" * len(HEADER))
    parts = (
        codec(4 if smoke else 128, 4096, times),
        codec(4 if smoke else 1024, 512, times),
        transport(20 if smoke else 2000, 1 if smoke else 3),
        tokenizers(10_000 if smoke else 1_000_000, times),
    )
    for part in parts:
        for cells in part:
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
