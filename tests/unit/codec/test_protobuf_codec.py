"""The binary codec: what it writes protoc's messages read, and the other way round; garbage is a ValueError."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinker import types
from tinker._codec import json as json_codec
from tinker._codec import protobuf
from tinker_local import wire
from tinker_local.engine.base import LossResult, SampledSequence, SampleResult
from tinker_proto import tinker_pb2 as pb

TOKENS = st.lists(st.integers(0, 2**31 - 1), max_size=300)
FLOATS = hnp.arrays(np.float32, st.integers(0, 200), elements=st.floats(width=32))
INTS = hnp.arrays(np.int64, st.integers(0, 200), elements=st.integers(-(2**63), 2**63 - 1))
NAMES = st.text(st.characters(codec="utf-8"), max_size=20)

CHUNKS = st.one_of(
    TOKENS.map(lambda tokens: types.EncodedTextChunk(tokens=tokens)),
    st.builds(
        types.ImageChunk,
        data=st.binary(max_size=300),
        format=st.sampled_from(["png", "jpeg"]),
        expected_tokens=st.none() | st.integers(0, 2**31 - 1),
    ),
)


@st.composite
def sparse(draw: st.DrawFn) -> types.TensorData:
    dense = draw(hnp.arrays(np.float32, (8, 9), elements=st.sampled_from([0.0, 0.0, 0.0, 1.5])))
    rows, columns = np.nonzero(dense)
    return types.TensorData(
        data=dense[rows, columns],
        shape=[8, 9],
        sparse_crow_indices=np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))]),
        sparse_col_indices=columns,
    )


TENSORS = st.one_of(FLOATS.map(types.TensorData), INTS.map(types.TensorData), sparse())
DATUMS = st.builds(
    types.Datum,
    model_input=st.lists(CHUNKS, max_size=3).map(lambda chunks: types.ModelInput(chunks=chunks)),
    loss_fn_inputs=st.dictionaries(NAMES, TENSORS, max_size=3),
)
SPANS = st.builds(
    types.SampledProvenanceSpan,
    sequence_id=NAMES,
    offset=st.integers(0, 2**40),
    length=st.integers(0, 2**40),
) | st.builds(types.PromptProvenanceSpan, sequence_id=NAMES, length=st.integers(0, 300))


@given(
    data=st.lists(DATUMS, max_size=3),
    seq_id=st.integers(1, 2**31 - 1),
    config=st.none() | st.dictionaries(NAMES, st.floats() | NAMES, max_size=3),
    forward_only=st.booleans(),
)
def test_protoc_reads_what_is_written(
    data: list[types.Datum], seq_id: int, config: dict[str, Any] | None, forward_only: bool
) -> None:
    content = protobuf.encode_forward_backward(
        "s:train:0", seq_id, data, "ppo", config, forward_only=forward_only
    )
    message = pb.ForwardBackwardRequest.FromString(content)
    assert (message.model_id, message.seq_id, message.loss_fn) == ("s:train:0", seq_id, "ppo")
    assert message.forward_only is forward_only
    numbers = {k: v for k, v in (config or {}).items() if not isinstance(v, str)}
    assert repr(dict(message.loss_fn_config)) == repr(
        {k: numbers[k] for k in message.loss_fn_config}
    )
    assert message.loss_fn_config.keys() == numbers.keys()
    assert message.loss_fn_config_v2.keys() == (config or {}).keys()
    for name, value in (config or {}).items():
        sent = message.loss_fn_config_v2[name]
        assert repr(sent.text if isinstance(value, str) else sent.number) == repr(value)
    assert len(message.data) == len(data)
    for sent, datum in zip(message.data, data, strict=True):
        _check_datum(sent, datum)


def _check_datum(sent: pb.Datum, datum: types.Datum) -> None:
    for piece, chunk in zip(sent.model_input, datum.model_input.chunks, strict=True):
        if isinstance(chunk, types.EncodedTextChunk):
            assert piece.encoded_text.tokens == chunk.tokens_np.tobytes()
        else:
            assert isinstance(chunk, types.ImageChunk)
            assert (piece.image.data, piece.image.format) == (chunk.data, chunk.format)
            assert piece.image.HasField("expected_tokens") == (chunk.expected_tokens is not None)
            assert piece.image.expected_tokens == (chunk.expected_tokens or 0)
    assert sent.loss_fn_inputs.keys() == datum.loss_fn_inputs.keys()
    for name, tensor in datum.loss_fn_inputs.items():
        message = sent.loss_fn_inputs[name]
        assert list(message.shape) == tensor.shape
        assert message.dtype == (pb.DTYPE_INT64 if tensor.dtype == "int64" else pb.DTYPE_FLOAT32)
        if tensor.crow_indices_np is None:
            assert message.dense == tensor.values_np.tobytes()
        else:
            assert tensor.col_indices_np is not None
            assert message.sparse_csr.values == tensor.values_np.tobytes()
            assert message.sparse_csr.crow_indices == tensor.crow_indices_np.tobytes()
            assert message.sparse_csr.col_indices == tensor.col_indices_np.tobytes()


@given(spans=st.lists(SPANS, min_size=1, max_size=3))
def test_provenance_is_written(spans: list[Any]) -> None:
    datum = types.Datum(types.ModelInput.empty(), {}, spans, spans)
    content = protobuf.encode_forward_backward("m", 1, [datum], "x", None, forward_only=False)
    (sent,) = pb.ForwardBackwardRequest.FromString(content).data
    for messages in (sent.model_input_spans, sent.loss_fn_input_spans):
        for message, span in zip(messages, spans, strict=True):
            kind = (
                "prompt_tokens"
                if isinstance(span, types.PromptProvenanceSpan)
                else "sampled_tokens"
            )
            assert message.WhichOneof("span") == kind
            inner = getattr(message, kind)
            assert (inner.sequence_id, inner.offset, inner.length) == (
                span.sequence_id, span.offset, span.length,
            )  # fmt: skip


def test_audio_is_written_and_an_asset_pointer_is_refused() -> None:
    audio = types.DmelChunk(dmel=bytes([2, 1, 3, 0, 0, 0]))
    datum = types.Datum(types.ModelInput(chunks=[audio]))
    content = protobuf.encode_forward_backward("m", 1, [datum], "x", None, forward_only=False)
    (sent,) = pb.ForwardBackwardRequest.FromString(content).data
    assert sent.model_input[0].dmel.dmel == audio.dmel
    pointer = types.ImageAssetPointerChunk(location="x", format="png")
    datum = types.Datum(types.ModelInput(chunks=[pointer]))
    with pytest.raises(ValueError, match="ImageAssetPointerChunk has no binary form"):
        protobuf.encode_forward_backward("m", 1, [datum], "x", None, forward_only=False)


def test_zstd_is_one_frame() -> None:
    content = b"abc" * 10000
    compressed = protobuf.compress(content)
    assert len(compressed) < len(content) / 10
    assert wire.decompress(compressed, "zstd") == content


ROWS = st.lists(
    hnp.arrays(np.float32, st.integers(0, 20), elements=st.floats(-9, 9, width=32)),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS, metrics=st.dictionaries(NAMES, st.floats(allow_nan=False), max_size=3))
def test_results_equal_those_in_json(rows: list[Any], metrics: dict[str, float]) -> None:
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    outputs = [{"logprobs": row, "elementwise_loss": -row} for row in rows]
    content = wire.loss_to_protobuf(
        LossResult(output_type="CrossEntropyLossReturn", outputs=outputs, metrics=finite)
    )
    decoded = protobuf.decode_forward_backward_output(content)
    assert decoded == json_codec.forward_backward_output(wire.loss_to_json(content))
    for output, row in zip(decoded.loss_fn_outputs, rows, strict=True):
        np.testing.assert_array_equal(output["logprobs"].to_numpy(), row)
    assert decoded.metrics == finite


def test_what_the_messages_allow() -> None:
    message = pb.ForwardBackwardOutput(loss_fn_output_type="server.Type:CrossEntropyLossReturn")
    message.metrics["zero:sum"] = 0.0
    matrix = np.arange(12, dtype="<i4").reshape(6, 2)
    bounds = np.array([0, 16, 48], "<i8")
    first = message.loss_fn_outputs.add(num_datums=2)
    first.fields["ids"].CopyFrom(
        pb.BatchedTensor(
            data=matrix.tobytes(),
            offsets=bounds.tobytes(),
            dtype=pb.DTYPE_INT32,
            trailing_shape=[2],
        )
    )
    half = np.array([1.5, -2.0], np.float32)
    brain = (half.view("<u4") >> 16).astype("<u2")
    second = message.loss_fn_outputs.add()  # counts itself
    second.fields["x"].CopyFrom(
        pb.BatchedTensor(
            data=brain.tobytes(), offsets=np.array([0, 4], "<i8").tobytes(), dtype=pb.DTYPE_BFLOAT16
        )
    )
    message.loss_fn_outputs.add(num_datums=1)  # nothing was asked for
    decoded = protobuf.decode_forward_backward_output(message.SerializeToString())
    assert decoded.loss_fn_output_type == "CrossEntropyLossReturn"
    assert decoded.metrics == {"zero:sum": 0.0}
    ids, more, x, empty = decoded.loss_fn_outputs
    assert ids["ids"].dtype == "int64"
    assert [ids["ids"].tolist(), more["ids"].tolist()] == [
        matrix[:2].tolist(), matrix[2:].tolist(),
    ]  # fmt: skip
    assert x["x"].to_numpy().tolist() == half.tolist()
    assert empty == {}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dtype": pb.DTYPE_UNSPECIFIED}, "element type is 0"),
        ({"offsets": np.array([0, 8, 12], "<i8").tobytes()}, "do not fit"),
        ({"offsets": np.array([0, 3, 8], "<i8").tobytes()}, "do not fall on its elements"),
        ({"offsets": np.array([0, 12, 8], "<i8").tobytes()}, "do not fit"),
        ({"offsets": b""}, "do not fall"),
        ({"data": b"123"}, "no whole number"),
        ({"trailing_shape": [3]}, "does not fit its shape"),
        ({"trailing_shape": [-1]}, "does not fit its shape"),
    ],
)
def test_results_that_contradict_themselves(change: dict[str, Any], text: str) -> None:
    message = pb.ForwardBackwardOutput()
    good = {
        "data": np.zeros(2, "<f4").tobytes(),
        "offsets": np.array([0, 4, 8], "<i8").tobytes(),
        "dtype": pb.DTYPE_FLOAT32,
    }
    record = message.loss_fn_outputs.add(num_datums=2)
    record.fields["x"].CopyFrom(pb.BatchedTensor(**{**good, **change}))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=text):
        protobuf.decode_forward_backward_output(message.SerializeToString())


TOPK = st.lists(
    st.lists(st.tuples(st.integers(0, 2**31 - 1), st.floats(-99, 0, width=32)), max_size=3),
    max_size=4,
)


@given(
    tokens=st.lists(TOKENS, min_size=1, max_size=3),
    prompt=st.none() | st.lists(st.floats(-99, 0, width=32), min_size=1, max_size=5),
    topk=st.none() | TOPK,
)
def test_samples_equal_those_in_json(tokens: list[list[int]], prompt: Any, topk: Any) -> None:
    result = SampleResult(
        sequences=[
            SampledSequence(
                tokens=np.array(row, np.int32),
                logprobs=-np.ones(len(row), np.float32),
                stop_reason="stop" if len(row) % 2 else "length",
            )
            for row in tokens
        ],
        prompt_logprobs=None if prompt is None else [None, *prompt],
        topk_prompt_logprobs=None if topk is None else [None, *topk],
    )
    content = wire.sample_to_protobuf(result)
    names = [f"s:{index}" for index in range(len(tokens))]
    length = len(prompt) + 1 if prompt is not None else 1
    decoded = protobuf.decode_sample_response(content, names, length)
    assert [s.tokens for s in decoded.sequences] == tokens
    assert [s.sequence_id for s in decoded.sequences] == names
    assert decoded.prompt_logprobs == (None if prompt is None else [None, *prompt])
    in_json = json_codec.sample_response(wire.sample_to_json(content), length, names)
    assert decoded.prompt_logprobs == in_json.prompt_logprobs
    assert [s.tokens for s in in_json.sequences] == tokens
    if topk is not None and any(topk):
        assert decoded.topk_prompt_logprobs == in_json.topk_prompt_logprobs


def test_a_missing_first_prompt_logprob_is_put_back_and_nan_is_none() -> None:
    message = pb.SampleResponse(prompt_logprobs=np.array([-1, np.nan], "<f4").tobytes())
    content = message.SerializeToString()
    assert protobuf.decode_sample_response(content, [], 3).prompt_logprobs == [None, -1.0, None]
    assert protobuf.decode_sample_response(content, [], 2).prompt_logprobs == [-1.0, None]


def test_target_and_alternative_tokens_of_a_prompt() -> None:
    message = pb.SampleResponse(prompt_cache_hit_tokens=3)
    message.target_prompt_logprobs.dense = np.array([-1, -2], "<f4").tobytes()
    message.target_prompt_logprobs.dtype = pb.DTYPE_FLOAT32
    message.target_prompt_logprobs.shape.extend([2, 1])
    message.prompt_alt_tokens.tokens.dense = np.array([7, 8], "<i4").tobytes()
    message.prompt_alt_tokens.tokens.dtype = pb.DTYPE_INT32
    message.prompt_alt_tokens.logprobs.dense = np.array([-3, -4], "<f4").tobytes()
    message.prompt_alt_tokens.logprobs.dtype = pb.DTYPE_FLOAT32
    decoded = protobuf.decode_sample_response(message.SerializeToString(), [], 3)
    assert decoded.prompt_cache_hit_tokens == 3
    assert decoded.target_prompt_logprobs is not None
    assert decoded.target_prompt_logprobs.tolist() == [[-1.0], [-2.0]]
    assert decoded.prompt_alt_tokens is not None
    assert decoded.prompt_alt_tokens.tokens.tolist() == [7, 8]


@given(content=st.binary(max_size=200))
def test_garbage_is_a_value_error_or_a_message(content: bytes) -> None:
    for kind, decode in (
        (types.ForwardBackwardOutput, protobuf.decode_forward_backward_output),
        (types.SampleResponse, lambda c: protobuf.decode_sample_response(c, [], 1)),
    ):
        try:
            decoded = decode(content)
        except ValueError:
            continue
        assert isinstance(decoded, kind)


@given(cut=st.integers(0, 400))
def test_what_is_cut_short_is_a_value_error(cut: int) -> None:
    outputs = [{"logprobs": np.arange(50, dtype=np.float32)} for _ in range(3)]
    result = LossResult(output_type="X", outputs=outputs, metrics={"loss:sum": 1.0})
    content = wire.loss_to_protobuf(result)
    cut = min(cut, len(content) - 1)
    try:
        decoded = protobuf.decode_forward_backward_output(content[:cut])
    except ValueError:
        return
    # Cut between two members, it is a message still, without what was cut off.
    assert len(decoded.loss_fn_outputs) in (0, 3)
