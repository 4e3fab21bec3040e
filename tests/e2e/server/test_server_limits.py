"""What is kept in memory has a bound, and what falls out of it comes back as it was."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

from tests.support.raw_client import (
    TRAINING,
    Raw,
    datum,
    forward_backward,
    optim_step,
    sample,
    save,
)
from tests.support.server_process import ServerProcess
from tinker_proto import tinker_pb2 as pb

MORE_THAN_FIT = 18
MEGABYTE = 2**20
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def memory(server: ServerProcess, name: str) -> int:
    """VmRSS, what is resident now, or VmHWM, the most that ever was."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(name)]
    return int(line.split()[1]) * 1024


def test_more_models_than_fit_into_memory(raw: Raw) -> None:
    session_id = raw.session()
    models = [raw.model(session_id, number) for number in range(MORE_THAN_FIT)]
    steps = [
        [
            raw.do(route, body(model_id, 2 * step + offset))
            for model_id in models
            for offset, (route, body) in enumerate(TRAINING, 1)
        ]
        for step in range(2)
    ]
    for results in steps:
        assert results == results[:2] * MORE_THAN_FIT
    assert steps[0] != steps[1]


def test_more_samplers_than_fit_into_memory(raw: Raw) -> None:
    session_id = raw.session()
    model_id = raw.model(session_id)
    samplers = []
    for number in range(MORE_THAN_FIT):
        if number:  # a little further each time
            raw.post("forward_backward", forward_backward(model_id, 3 * number - 1))
            raw.post("optim_step", optim_step(model_id, 3 * number))
        body = {"model_id": model_id, "seq_id": 3 * number + 1, "sampling_session_seq_id": number}
        samplers.append(raw.do("save_weights_for_sampler", body)["sampling_session_id"])

    def sampled(seq_id: int) -> list[object]:
        promises = [raw.post("asample", sample(sampler_id, seq_id)) for sampler_id in samplers]
        return [raw.result(promise)["sequences"] for promise in promises]

    first = sampled(0)
    assert sampled(1) == first
    assert first[0] != first[-1]


@on_linux
def test_what_waits_is_not_kept_in_memory(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Raw(server.url) as raw:
        model_id = raw.model()
        size, count = 2_000_000, 20
        data = [datum("x" * (size // 8))]
        raw.post("save_weights", save(model_id, 2, "a"))

        def resident() -> int:
            return memory(server, "VmRSS")

        def submit(seq_id: int) -> None:
            body = {"data": data, "loss_fn": "cross_entropy", "loss_fn_config": {"beta": seq_id}}
            request = {"model_id": model_id, "seq_id": seq_id, "forward_backward_input": body}
            raw.post("forward_backward", request)

        for seq_id in range(3, 8):
            submit(seq_id)  # the first ones make room for decoding
        before = resident()
        for seq_id in range(8, 8 + count):
            submit(seq_id)  # seq_id 1 does not arrive, so all of them wait
        assert resident() - before < size * count / 2


# ---- bodies that are small on the wire and large in memory --------------------------------------

PROTOBUF = {"Content-Type": "application/x-protobuf"}
ZSTD = {**PROTOBUF, "Content-Encoding": "zstd"}
JSON = {"Content-Type": "application/json"}


def batch_of(chunk: str) -> bytes:
    data = f'[{{"model_input": {{"chunks": [{chunk}]}}, "loss_fn_inputs": {{}}}}]'
    return f'{{"model_id": "m", "forward_backward_input": {{"loss_fn": "ppo", "data": {data}}}}}'.encode()


SMALL_BODIES = {
    "empty datums": (zstandard.compress(b"\x1a\x00" * 16_000_000), ZSTD, "1024"),
    "empty chunks": (
        pb.ForwardBackwardRequest(
            data=[pb.Datum(model_input=[pb.Chunk()] * 1_000_000)]
        ).SerializeToString(),
        PROTOBUF,
        "131072",
    ),
    "groups": (b"\x0b\x0c" * 2 + b"\x1a\x00" * 2_000_000, PROTOBUF, "not a message"),
    "shapes": (
        pb.ForwardBackwardRequest(
            data=[pb.Datum(loss_fn_inputs={"a": pb.Tensor(shape=[1] * 4_000_000)})]
        ).SerializeToString(),
        PROTOBUF,
        "131072",
    ),
    "empty arrays": (b"[" + b"[]," * 1_300_000 + b"[]]", JSON, "131072"),
    "arrays for datums": (
        b'{"model_id": "m", "forward_backward_input": {"loss_fn": "ppo", "data": ['
        + b"[]," * 100_000
        + b"[]]}}",
        JSON,
        "object",
    ),
    "tokens that are strings": (
        batch_of('{"type": "encoded_text", "tokens": ["1"' + ', "1"' * 60_000 + "]}"),
        JSON,
        "integer",
    ),
    "chunks without a type": (batch_of('{"tokens": ["1"' + ', "1"' * 60_000 + "]}"), JSON, "type"),
    "compressed JSON": (zstandard.compress(b"[" + b"1," * 10**7 + b"1]"), {**JSON, "Content-Encoding": "zstd"}, "JSON"),
    "zeros": (zstandard.compress(bytes(2**30)), ZSTD, "larger than"),
}  # fmt: skip


@on_linux
def test_a_small_body_is_refused_without_gigabytes(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Raw(server.url) as raw:
        raw.model()
        before = memory(server, "VmHWM")
        for name, (content, headers, reason) in SMALL_BODIES.items():
            answer = raw.http.post("forward_backward", content=content, headers=headers)
            assert answer.status_code in (413, 415, 422), (name, answer.text[:500])
            assert reason in answer.text, (name, answer.text[:500])
            assert len(answer.content) < 10_000, name
            assert memory(server, "VmHWM") - before < 100 * MEGABYTE, name


@on_linux
def test_bombs_are_counted_together(tmp_path: Path) -> None:
    # Of an unknown size, so that it takes decompressing to see that they are too large.
    compressor = zstandard.ZstdCompressor().compressobj()
    bomb = b"".join(compressor.compress(bytes(MEGABYTE)) for _ in range(300)) + compressor.flush()
    with (
        ServerProcess(tmp_path / "data") as server,
        Raw(server.url) as raw,
        ThreadPoolExecutor(8) as threads,
    ):
        raw.model()
        before = memory(server, "VmHWM")
        posts = [
            threads.submit(raw.http.post, "forward_backward", content=bomb, headers=ZSTD)
            for _ in range(8)
        ]
        raw.get("healthz")
        assert [post.result().status_code for post in posts] == [413] * 8
        assert memory(server, "VmHWM") - before < 100 * MEGABYTE


@pytest.mark.parametrize("depth", [65, 256, 1000, 5000])
def test_deep_json_is_refused(raw: Raw, depth: int) -> None:
    content = b'{"model_id": "m", "more": ' + b"[" * depth + b"]" * depth + b"}"
    answer = raw.http.post("optim_step", content=content)
    assert (answer.status_code, "64 deep" in answer.text) == (400, True)


def test_json_of_some_depth_is_taken(raw: Raw) -> None:
    model_id = raw.model()
    more: object = "[{" * 100
    for _ in range(60):
        more = [more]
    promise = raw.post("optim_step", {**optim_step(model_id, 1), "more": more})
    assert raw.result(promise)["type"] == "optim_step"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_metadata": {"a": "x" * 17_000}}, "user_metadata"),
        ({"user_metadata": {str(n): "" for n in range(4000)}}, "user_metadata"),
        ({"project_id": "x" * 600}, "project_id"),
    ],
)
def test_metadata_and_ids_have_a_limit(raw: Raw, body: dict[str, object], field: str) -> None:
    request = {"tags": [], "user_metadata": {}, "sdk_version": "1", "type": "create_session"}
    (issue,) = raw.post("create_session", {**request, **body}, 422)["detail"]
    assert issue["loc"] == ["body", field]
    assert issue["type"] == "max_length"


def test_only_bodies_with_data_may_be_large(raw: Raw) -> None:
    answer = raw.http.post("get_info", content=b'{"model_id": "' + b"x" * 2 * MEGABYTE + b'"}')
    assert answer.status_code == 413


def test_a_batch_has_a_limit(raw: Raw) -> None:
    model_id = raw.model()
    (issue,) = raw.post("forward_backward", forward_backward(model_id, 1, *["a"] * 1025), 422)[
        "detail"
    ]
    assert issue["loc"] == ["body", "forward_backward_input", "data"]
    raw.post("forward_backward", forward_backward(model_id, 1, *["a"] * 1024))


# ---- what a refusal says -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunk", "location", "message"),
    [
        (
            {"type": "encoded_text", "tokens": ["1"]},
            ["tokens", "0"],
            '"1" is not of type "integer"',
        ),
        ({"type": "encoded_text"}, [], '"tokens" is a required property'),
        ({"tokens": [1]}, [], '"type" is a required property'),
        ({"type": "audio"}, ["type"], '"audio" is not one of "encoded_text", "image"'),
        ([1], [], '[1] is not of type "object"'),
    ],
)
def test_a_union_names_the_field_and_what_it_takes(
    raw: Raw, chunk: object, location: list[str], message: str
) -> None:
    body = {**sample("s", 1), "prompt": {"chunks": [chunk]}}
    issue, *_ = raw.post("asample", body, 422)["detail"]
    assert issue["loc"] == ["body", "prompt", "chunks", "0", *location]
    assert message in issue["msg"]


def test_a_union_without_a_tag_says_what_it_takes(raw: Raw) -> None:
    body = {**sample("s", 1), "sampling_params": {"stop": [1, "a"]}}
    (issue,) = raw.post("asample", body, 422)["detail"]
    assert issue["loc"] == ["body", "sampling_params", "stop"]
    assert issue["msg"] == (
        '[1,"a"] is not accepted; expected a string, a list of strings, a list of integers or null'
    )
