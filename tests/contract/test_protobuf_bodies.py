"""The two encodings say the same, and nothing sent as protobuf or zstd is answered with a 5xx."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import zstandard
from hypothesis import given, strategies as st

from tests.support.raw_client import KEY, Raw, batch, forward_backward, sample, save
from tinker_local import LocalServer
from tinker_local.options import Options
from tinker_local.protocol.wire.limits import MAX_BODY_BYTES
from tinker_proto import tinker_pb2 as pb

PROTOBUF = "application/x-protobuf"
TEXTS = ("first text", "a second, longer one")


def encoded(model_id: str, seq_id: int, *texts: str, forward_only: bool = False) -> bytes:
    """The same request as `raw_client.forward_backward`."""
    request = pb.ForwardBackwardRequest(
        model_id=model_id, seq_id=seq_id, loss_fn="cross_entropy", forward_only=forward_only
    )
    for datum in batch(*(texts or TEXTS))["data"]:
        added = request.data.add()
        tokens = np.array(datum["model_input"]["chunks"][0]["tokens"], "<i4")
        added.model_input.add().encoded_text.tokens = tokens.tobytes()
        for name, values in datum["loss_fn_inputs"].items():
            whole = values["dtype"] == "int64"
            added.loss_fn_inputs[name].dense = np.array(
                values["data"], "<i8" if whole else "<f4"
            ).tobytes()
            added.loss_fn_inputs[name].dtype = pb.DTYPE_INT64 if whole else pb.DTYPE_FLOAT32
            added.loss_fn_inputs[name].shape.append(len(values["data"]))
    return request.SerializeToString()


def send(raw: Raw, content: bytes, encoding: str = "") -> httpx.Response:
    headers = {"Content-Type": PROTOBUF}
    if encoding:
        headers["Content-Encoding"] = encoding
    return raw.http.post("forward_backward", content=content, headers=headers)


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    options = Options(poll_seconds=5.0, gap_seconds=3600.0)
    with LocalServer(options=options) as running, Raw(running.url) as client:
        yield client


def plain(message: Any) -> Any:
    """A result in protobuf as its JSON says it."""
    outputs: list[dict[str, Any]] = []
    for record in message.loss_fn_outputs:
        first = len(outputs)
        outputs += [{} for _ in range(record.num_datums)]
        for name, field in record.fields.items():
            edges = np.frombuffer(field.offsets, "<i8")
            for index in range(record.num_datums):
                values = np.frombuffer(field.data[edges[index] : edges[index + 1]], "<f4")
                outputs[first + index][name] = {
                    "data": values.tolist(),
                    "dtype": "float32",
                    "shape": [len(values)],
                }
    return {
        "type": "forward_backward",
        "loss_fn_output_type": message.loss_fn_output_type,
        "loss_fn_outputs": outputs,
        "metrics": dict(message.metrics),
    }


def exact(result: dict[str, Any]) -> dict[str, Any]:
    """JSON's shortest decimals as the float32 they stand for."""
    for output in result["loss_fn_outputs"]:
        for values in output.values():
            values["data"] = np.array(values["data"], np.float32).tolist()
    return result


def test_json_protobuf_and_zstd_give_equal_results(raw: Raw) -> None:
    one, two, three = raw.model(), raw.model(), raw.model()
    promises = [
        raw.post("forward_backward", forward_backward(one, 1, *TEXTS)),
        send(raw, encoded(two, 1)).json(),
        send(raw, zstandard.ZstdCompressor().compress(encoded(three, 1)), "zstd").json(),
    ]
    results = [raw.result(promise) for promise in promises]
    assert results[0] == results[1] == results[2]
    # And the same gradients.
    steps = [raw.do("optim_step", {"model_id": m, "seq_id": 2}) for m in (one, two, three)]
    assert steps[0] == steps[1] == steps[2]


@pytest.mark.parametrize("large", [False, True])
def test_results_carry_the_same_numbers_in_both_encodings(
    raw: Raw, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:  # those are written on a thread
        monkeypatch.setattr("tinker_local.protocol.handlers.futures._LARGE", 0)
    promise = raw.post("forward_backward", forward_backward(raw.model(), 1, *TEXTS))
    as_json = raw.result(promise)
    answer = raw.poll(promise, Accept=PROTOBUF)
    assert answer.headers["content-type"] == PROTOBUF
    assert plain(pb.ForwardBackwardOutput.FromString(answer.content)) == exact(as_json)


def test_samples_carry_the_same_numbers_in_both_encodings(raw: Raw) -> None:
    sampler_id = raw.sampler(raw.session())
    promise = raw.post("asample", sample(sampler_id, 0, prompt_logprobs=True))
    as_json = raw.result(promise)
    message = pb.SampleResponse.FromString(raw.poll(promise, Accept=PROTOBUF).content)
    (told,), (sequence,) = as_json["sequences"], message.sequences
    assert told["tokens"] == np.frombuffer(sequence.tokens, "<i4").tolist()
    for numbers, content in (
        (told["logprobs"], sequence.logprobs),
        (as_json["prompt_logprobs"], message.prompt_logprobs),
    ):
        expected = np.array(numbers, np.float32)  # null is NaN
        np.testing.assert_array_equal(expected, np.frombuffer(content, "<f4"))


def test_forward_only_leaves_no_gradient(raw: Raw) -> None:
    model_id = raw.model()
    backward = raw.result(send(raw, encoded(raw.model(), 1)).json())
    assert raw.result(send(raw, encoded(model_id, 1, forward_only=True)).json()) == backward
    step = raw.do("optim_step", {"model_id": model_id, "seq_id": 2})
    assert step["metrics"]["unclipped_grad_l2:mean"] == 0


def test_what_is_json_anyway_comes_as_json(raw: Raw) -> None:
    promise = raw.post("save_weights", save(raw.model(), 1, "a"))
    answer = raw.poll(promise, Accept=PROTOBUF)
    assert answer.headers["content-type"] == "application/json"


def test_a_repetition_is_known_whatever_its_compression(raw: Raw) -> None:
    content = encoded(raw.model(), 1)
    promise = send(raw, content).json()
    assert send(raw, zstandard.ZstdCompressor().compress(content), "zstd").json() == promise


# ---- invalid requests -----------------------------------------------------------------------


@given(content=st.binary(max_size=200), encoding=st.sampled_from(["", "zstd"]))
def test_random_bytes_are_refused(raw: Raw, content: bytes, encoding: str) -> None:
    assert 400 <= send(raw, content, encoding).status_code < 500


damages = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "double"]), st.integers(0, 999), st.integers(1, 255)),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, damage: list[tuple[str, int, int]]) -> bytes:
    changed = bytearray(content)
    for how, where, amount in damage:
        at = where * len(changed) // 1000
        if how == "flip":
            changed[at] ^= amount
        elif how == "cut":
            del changed[at : at + amount % 4 + 1]
        else:
            changed[at:at] = changed[at : at + amount % 4 + 1]
    return bytes(changed)


@given(damage=damages, compressed=st.booleans())
def test_damaged_requests_are_refused_or_fail(
    raw: Raw, damage: list[tuple[str, int, int]], compressed: bool
) -> None:
    """A 4xx, or a promise whose future fails by no fault of the server's."""
    model_id = raw.model()
    content = encoded(model_id, 1, "abcdef")
    if compressed:
        content = zstandard.ZstdCompressor(write_checksum=True).compress(content)
    answer = send(raw, damaged(content, damage), "zstd" if compressed else "")
    assert answer.status_code < 500
    if answer.status_code == 200 and answer.json()["request_id"] == f"{model_id}:1":
        result = raw.result(answer.json())
        assert result.get("category", "user") == "user", result


tensors = st.builds(
    pb.Tensor,
    dense=st.binary(max_size=48),
    dtype=st.sampled_from(list(pb.DType.values())),
    shape=st.lists(st.sampled_from([-1, 0, 1, 2, 3, 6, 2**31, 2**62]), max_size=3),
) | st.builds(
    pb.Tensor,
    sparse_csr=st.builds(
        pb.SparseCsr,
        values=st.binary(max_size=24),
        crow_indices=st.lists(st.integers(-1, 3), max_size=4).map(
            lambda x: np.array(x, "<i8").tobytes()
        ),
        col_indices=st.lists(st.integers(-1, 3), max_size=4).map(
            lambda x: np.array(x, "<i8").tobytes()
        ),
    ),
    dtype=st.sampled_from(list(pb.DType.values())),
    shape=st.lists(st.sampled_from([-1, 0, 1, 2, 3, 2**62]), max_size=3),
)
chunks = st.lists(
    st.builds(pb.Chunk, encoded_text=st.builds(pb.EncodedTextChunk, tokens=st.binary(max_size=24)))
    | st.builds(pb.Chunk, encoded_text=st.just(pb.EncodedTextChunk(tokens=b"a\0\0\0b\0\0\0")))
    | st.just(pb.Chunk())
    | st.builds(pb.Chunk, image=st.builds(pb.ImageChunk, data=st.binary(max_size=4))),
    max_size=3,
)
inputs = st.dictionaries(
    st.sampled_from(["target_tokens", "weights", "logprobs", "advantages", "mask"]), tensors
)


@given(
    parts=st.lists(st.tuples(chunks, inputs), min_size=1, max_size=2),
    loss_fn=st.sampled_from(["cross_entropy", "ppo", "gspo", "dro", "custom", "", "None"]),
    config=st.dictionaries(st.sampled_from(["beta", "clip_low_threshold", "x"]), st.floats()),
)
def test_messages_that_make_no_sense_fail_as_the_users(
    raw: Raw, parts: list[Any], loss_fn: str, config: dict[str, float]
) -> None:
    request = pb.ForwardBackwardRequest(model_id=raw.model(), seq_id=1, loss_fn=loss_fn)
    request.loss_fn_config.update(config)
    for model_input, tensor_inputs in parts:
        datum = request.data.add(model_input=model_input)
        for name, tensor in tensor_inputs.items():
            datum.loss_fn_inputs[name].CopyFrom(tensor)
    answer = send(raw, request.SerializeToString())
    assert answer.status_code == 200, answer.text
    result = raw.result(answer.json())
    assert result.get("category", "user") == "user", result


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_cut_zstd_frame_is_refused(raw: Raw, cut: int) -> None:
    whole = zstandard.ZstdCompressor(write_content_size=False).compress(encoded(raw.model(), 1))
    answer = send(raw, whole[:-cut], "zstd")
    assert answer.status_code == 422
    assert "zstd" in answer.json()["detail"][0]["msg"]


def test_more_than_one_frame_is_refused(raw: Raw) -> None:
    frame = zstandard.ZstdCompressor().compress(encoded(raw.model(), 1))
    assert send(raw, frame + frame, "zstd").status_code == 422
    assert send(raw, frame + b"more", "zstd").status_code == 422


def test_another_compression_is_not_offered(raw: Raw) -> None:
    answer = send(raw, encoded(raw.model(), 1), "br")
    assert answer.status_code == 415
    assert "zstd" in answer.json()["detail"]


def test_another_media_type_is_not_offered(raw: Raw) -> None:
    answer = raw.http.post("forward_backward", content=b"", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "application/json or application/x-protobuf" in answer.json()["detail"]


# ---- size -----------------------------------------------------------------------------------


def test_a_small_frame_of_a_huge_body_is_refused(raw: Raw) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(MAX_BODY_BYTES + 1))
    assert len(bomb) < 100_000
    answer = send(raw, bomb, "zstd")
    assert answer.status_code == 413
    assert "larger than" in answer.json()["detail"]


def test_a_body_that_is_announced_too_large_is_refused_at_once(raw: Raw) -> None:
    address = urlsplit(str(raw.http.base_url))
    head = (
        f"POST /api/v1/forward_backward HTTP/1.1\r\nHost: {address.netloc}\r\nX-API-Key: {KEY}\r\n"
        f"Content-Type: {PROTOBUF}\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_too_large_is_refused(raw: Raw) -> None:
    megabyte = bytes(2**20)
    pieces = (megabyte for _ in range(MAX_BODY_BYTES // len(megabyte) + 1))
    answer = raw.http.post("forward_backward", content=pieces, headers={"Content-Type": PROTOBUF})
    assert answer.status_code == 413
