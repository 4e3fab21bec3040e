"""The binary codec: what it writes protoc's messages read, and the other way round; garbage is a ValueError."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from tinker import types
from tinker._codec import json as json_codec, protobuf, zstd
from tinker_local.engine.base import (
    LossResult,
    PromptAlternatives,
    SampledSequence,
    SampleResult,
)
from tinker_local.protocol.wire import bodies, results
from tinker_proto import tinker_pb2 as pb

TOKENS = st.lists(st.integers(0, 2**31 - 1), max_size=300)
FLOATS = hnp.arrays(np.float32, st.integers(0, 200), elements=st.floats(width=32))
INTS = hnp.arrays(np.int64, st.integers(0, 200), elements=st.integers(-(2**63), 2**63 - 1))
NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)

CHUNKS = st.one_of(
    TOKENS.map(lambda tokens: types.EncodedTextChunk(tokens=tokens)),
    st.builds(
        types.ImageChunk,
        data=st.binary(max_size=300),
        format=st.sampled_from(["png", "jpeg"]),
        expected_tokens=st.none() | st.integers(0, 2**31 - 1),
    ),
    st.builds(types.DmelChunk, dmel=st.binary(max_size=300)),
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


SPANS = st.lists(
    st.builds(
        types.SampledProvenanceSpan,
        sequence_id=IDS,
        offset=st.integers(0, 2**63 - 1),
        length=st.integers(0, 2**63 - 1),
    )
    | st.builds(types.PromptProvenanceSpan, sequence_id=IDS, length=st.integers(0, 300)),
    max_size=3,
)
GRIDS = hnp.arrays(
    st.sampled_from([np.float32, np.int64]), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)
)
TENSORS = st.one_of(
    GRIDS.map(types.TensorData), FLOATS.map(types.TensorData), INTS.map(types.TensorData), sparse()
)


@st.composite
def datums(draw: st.DrawFn) -> types.Datum:
    spans = draw(st.none() | st.tuples(SPANS, SPANS)) or (None, None)
    return types.Datum(
        types.ModelInput(chunks=draw(st.lists(CHUNKS, max_size=3))),
        draw(st.dictionaries(NAMES, TENSORS, max_size=3)),
        *spans,
    )


DATUMS = datums()


def by_protobuf(
    seq_id: int, data: list[types.Datum], config: dict[str, Any] | None, forward_only: bool
) -> pb.ForwardBackwardRequest:
    """The same request, built of protoc's messages."""
    request = pb.ForwardBackwardRequest(
        model_id="s:train:0", seq_id=seq_id, loss_fn="ppo", forward_only=forward_only
    )
    for name, value in (config or {}).items():
        if isinstance(value, str):
            request.loss_fn_config_v2[name].text = value
        else:
            request.loss_fn_config[name] = value
            request.loss_fn_config_v2[name].number = value
    for datum in data:
        message = request.data.add()
        for chunk in datum.model_input.chunks:
            piece = message.model_input.add()
            if isinstance(chunk, types.EncodedTextChunk):
                piece.encoded_text.tokens = np.array(chunk.tokens, "<i4").tobytes()
            elif isinstance(chunk, types.ImageChunk):
                piece.image.data, piece.image.format = chunk.data, chunk.format
                if chunk.expected_tokens is not None:
                    piece.image.expected_tokens = chunk.expected_tokens
            else:
                assert isinstance(chunk, types.DmelChunk)
                piece.dmel.dmel = chunk.dmel
        for name, tensor in datum.loss_fn_inputs.items():
            _fill(message.loss_fn_inputs[name], tensor)
        for spans, added in (
            (datum.model_input_spans, message.model_input_spans),
            (datum.loss_fn_input_spans, message.loss_fn_input_spans),
        ):
            for span in spans or ():
                in_prompt = isinstance(span, types.PromptProvenanceSpan)
                one = added.add()
                inner = one.prompt_tokens if in_prompt else one.sampled_tokens
                inner.sequence_id = span.sequence_id
                inner.offset, inner.length = span.offset, span.length
                inner.SetInParent()
    return request


def _fill(message: pb.Tensor, tensor: types.TensorData) -> None:
    is_int = tensor.dtype == "int64"
    message.dtype = pb.DTYPE_INT64 if is_int else pb.DTYPE_FLOAT32
    message.shape.extend(tensor.shape)
    values = tensor.values_np.astype("<i8" if is_int else "<f4").tobytes()
    if tensor.sparse_crow_indices is None:
        message.dense = values
    else:
        message.sparse_csr.values = values
        message.sparse_csr.crow_indices = np.array(tensor.sparse_crow_indices, "<i8").tobytes()
        message.sparse_csr.col_indices = np.array(tensor.sparse_col_indices, "<i8").tobytes()


@given(
    data=st.lists(DATUMS, max_size=3),
    seq_id=st.integers(1, 2**31 - 1),
    config=st.none() | st.dictionaries(NAMES, st.floats() | st.integers(-9, 9) | NAMES, max_size=3),
    forward_only=st.booleans(),
)
def test_a_request_is_the_one_of_protobufs_own_encoder(
    data: list[types.Datum], seq_id: int, config: dict[str, Any] | None, forward_only: bool
) -> None:
    content = protobuf.encode_forward_backward(
        "s:train:0", seq_id, data, "ppo", config, forward_only=forward_only
    )
    sent = pb.ForwardBackwardRequest.FromString(content)
    wanted = by_protobuf(seq_id, data, config, forward_only)
    # As bytes, because a NaN is not equal to another NaN.
    assert sent.SerializeToString(deterministic=True) == wanted.SerializeToString(
        deterministic=True
    )


def test_what_is_not_finite_survives() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 0], np.float32)
    datum = types.Datum(types.ModelInput.empty(), {"weights": values})
    content = protobuf.encode_forward_backward("m", 1, [datum], "x", None, forward_only=False)
    (sent,) = pb.ForwardBackwardRequest.FromString(content).data
    assert sent.loss_fn_inputs["weights"].dense == values.tobytes()


def span_of(offset: int, length: int) -> types.Datum:
    spans = [types.SampledProvenanceSpan(sequence_id="s", offset=offset, length=length)]
    return types.Datum(types.ModelInput.empty(), {}, spans, spans)


IMAGE_OF_MANY_TOKENS = types.Datum(
    types.ModelInput(chunks=[types.ImageChunk(data=b"x", format="png", expected_tokens=2**31)])
)


@pytest.mark.parametrize(
    ("seq_id", "data", "config", "text"),
    [
        (2**31, [], None, "seq_id is 2147483648"),
        (1, [IMAGE_OF_MANY_TOKENS], None, "expected_tokens is 2147483648"),
        (1, [span_of(2**63, 0)], None, "the offset of a provenance span is 9223372036854775808"),
        (1, [span_of(0, 2**63)], None, "the length of a provenance span is 9223372036854775808"),
        (1, [], {"beta": None}, r"loss_fn_config\['beta'\] is None"),
        (1, [], {"beta": 10**400}, r"loss_fn_config\['beta'\] is 1000"),
    ],
)
def test_a_number_that_would_arrive_as_another_is_refused(
    seq_id: int, data: list[types.Datum], config: Any, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        protobuf.encode_forward_backward("m", seq_id, data, "x", config, forward_only=False)


def test_an_asset_pointer_is_refused() -> None:
    pointer = types.ImageAssetPointerChunk(location="x", format="png")
    datum = types.Datum(types.ModelInput(chunks=[pointer]))
    with pytest.raises(ValueError, match="ImageAssetPointerChunk cannot be sent as protobuf"):
        protobuf.encode_forward_backward("m", 1, [datum], "x", None, forward_only=False)


def test_zstd_is_one_frame() -> None:
    content = b"abc" * 10000
    compressed = zstd.compress(content)
    assert len(compressed) < len(content) / 10
    assert bodies.decompress(compressed, "zstd") == content


ROWS = st.lists(
    hnp.arrays(np.float32, st.integers(0, 20), elements=st.floats(-9, 9, width=32)),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS, metrics=st.dictionaries(NAMES, st.floats(allow_nan=False), max_size=3))
def test_results_equal_those_in_json(rows: list[Any], metrics: dict[str, float]) -> None:
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    outputs = [{"logprobs": row, "elementwise_loss": -row} for row in rows]
    content = results.loss_to_protobuf(
        LossResult(output_type="CrossEntropyLossReturn", outputs=outputs, metrics=finite)
    )
    decoded = protobuf.decode_forward_backward_output(content)
    assert decoded == json_codec.forward_backward_output(results.loss_to_json(content))
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
        ({"offsets": np.array([0, 8, 12], "<i8").tobytes()}, "do not match its length"),
        (
            {"offsets": np.array([0, 3, 8], "<i8").tobytes()},
            "do not match the size of its elements",
        ),
        ({"offsets": np.array([0, 12, 8], "<i8").tobytes()}, "do not match its length"),
        ({"offsets": b""}, "do not match its length"),
        ({"offsets": b"1234"}, "not a multiple"),
        ({"data": b"123"}, "not a multiple"),
        ({"trailing_shape": [3]}, "does not match its shape"),
        ({"trailing_shape": [-1]}, "cannot have the shape"),
        ({"trailing_shape": [1] * 17}, "cannot have the shape"),
        ({"trailing_shape": [0]}, "does not match its shape"),
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
    record.fields["x"].CopyFrom(pb.BatchedTensor(**{**good, **change}))
    with pytest.raises(ValueError, match=text):
        protobuf.decode_forward_backward_output(message.SerializeToString())


TOPK = st.lists(
    st.lists(st.tuples(st.integers(0, 2**31 - 1), st.floats(-99, 0, width=32)), max_size=3),
    max_size=4,
)


# Without a token, JSON can say that there are no logprobs for it; to protobuf it is as if nobody had asked.
@given(
    tokens=st.lists(TOKENS.filter(len), min_size=1, max_size=3),
    sampled_topk=st.none() | TOPK,
    prompt=st.none() | st.lists(st.floats(-99, 0, width=32), max_size=5),
    topk=st.none() | TOPK,
    leaves_out_first=st.booleans(),
)
def test_samples_equal_those_in_json(
    tokens: list[list[int]], sampled_topk: Any, prompt: Any, topk: Any, leaves_out_first: bool
) -> None:
    first = [] if leaves_out_first else [None]
    result = SampleResult(
        sequences=[
            SampledSequence(
                tokens=np.array(row, np.int32),
                logprobs=-np.ones(len(row), np.float32),
                drawn_logprobs=-np.ones(len(row), np.float32),
                stop_reason="stop" if len(row) % 2 else "length",
                topk=sampled_topk,
            )
            for row in tokens
        ],
        prompt_logprobs=None if not prompt else [*first, *prompt],
        topk_prompt_logprobs=None if topk is None else [*first, *topk],
    )
    content = results.sample_to_protobuf(result)
    names = [f"s:{index}" for index in range(len(tokens))]
    length = 1 + len(prompt or topk or [])
    decoded = protobuf.decode_sample_response(content, names, length)
    assert decoded == json_codec.sample_response(results.sample_to_json(content), length, names)
    assert [s.tokens for s in decoded.sequences] == tokens
    assert [s.sequence_id for s in decoded.sequences] == names
    assert decoded.prompt_logprobs == ([None, *prompt] if prompt else None)
    if topk is not None and any(topk) and not prompt:
        assert decoded.topk_prompt_logprobs == [None, *(row or None for row in topk)]


def test_samples_without_names_are_kept() -> None:
    message = pb.SampleResponse()
    for token in (7, 8):
        message.sequences.add(
            tokens=np.array([token], "<i4").tobytes(), logprobs=np.zeros(1, "<f4").tobytes()
        )
    content = message.SerializeToString()
    for decoded in (
        protobuf.decode_sample_response(content, ["s:0"], 1),
        json_codec.sample_response(results.sample_to_json(content), 1, ["s:0"]),
    ):
        assert [(s.sequence_id, s.tokens) for s in decoded.sequences] == [("s:0", [7]), ("", [8])]


def test_empty_arrays_of_a_sample_mean_that_nobody_asked() -> None:
    message = pb.SampleResponse(prompt_logprobs=b"")
    message.topk_prompt_logprobs.SetInParent()
    sequence = message.sequences.add(logprobs=b"")
    sequence.topk_sampled_logprobs.SetInParent()
    decoded = protobuf.decode_sample_response(message.SerializeToString(), [], 1)
    assert decoded.prompt_logprobs is None
    assert decoded.topk_prompt_logprobs is None
    (sample,) = decoded.sequences
    assert (sample.tokens, sample.logprobs, sample.topk_logprobs) == ([], None, None)


def test_a_missing_first_prompt_logprob_is_put_back_and_nan_is_none() -> None:
    message = pb.SampleResponse(prompt_logprobs=np.array([-1, np.nan], "<f4").tobytes())
    content = message.SerializeToString()
    assert protobuf.decode_sample_response(content, [], 3).prompt_logprobs == [None, -1.0, None]
    assert protobuf.decode_sample_response(content, [], 2).prompt_logprobs == [-1.0, None]


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5)),
    st.booleans(),
)
def test_scores_of_a_prompt_keep_the_requests_layout_in_both(scores: Any, dense: bool) -> None:
    rows, columns = scores.shape
    layout: dict[str, Any] = {"shape": [rows, columns]}
    if not dense:
        layout["sparse_crow_indices"] = (np.arange(rows + 1) * columns).tolist()
        layout["sparse_col_indices"] = np.tile(np.arange(columns), rows).tolist()
    result = SampleResult(
        sequences=[],
        target_prompt_logprobs=scores.ravel(),
        prompt_alt_tokens=PromptAlternatives(
            tokens=np.arange(scores.size).reshape(scores.shape), logprobs=scores
        ),
    )
    content = results.sample_to_protobuf(result, layout)
    decoded = protobuf.decode_sample_response(content, [], rows + 1)
    same = json_codec.sample_response(results.sample_to_json(content), rows + 1, [])
    for answer in (decoded, same):
        targets, alternatives = answer.target_prompt_logprobs, answer.prompt_alt_tokens
        assert targets is not None
        assert alternatives is not None
        assert targets.shape == [rows, columns]
        assert targets.sparse_crow_indices == layout.get("sparse_crow_indices")
        assert targets.sparse_col_indices == layout.get("sparse_col_indices")
        assert (alternatives.tokens.dtype, targets.dtype) == ("int64", "float32")
        assert alternatives.tokens.shape == alternatives.logprobs.shape == [rows, columns]
        assert list(alternatives.tokens.data) == list(range(scores.size))
    np.testing.assert_array_equal(decoded.target_prompt_logprobs.values_np, scores.ravel())  # type: ignore[union-attr]
    if np.isfinite(scores).all():  # JSON has no infinity
        assert decoded == same


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


def test_a_sparse_result_stays_sparse() -> None:
    message = pb.SampleResponse()
    target = message.target_prompt_logprobs
    target.dtype = pb.DTYPE_FLOAT32
    target.shape.extend([2, 3])
    target.sparse_csr.values = np.array([-1, -2], "<f4").tobytes()
    target.sparse_csr.crow_indices = np.array([0, 1, 2], "<i8").tobytes()
    target.sparse_csr.col_indices = np.array([2, 0], "<i8").tobytes()
    decoded = protobuf.decode_sample_response(message.SerializeToString(), [], 3)
    assert decoded.target_prompt_logprobs is not None
    assert decoded.target_prompt_logprobs.sparse_col_indices == [2, 0]
    assert decoded.target_prompt_logprobs.tolist() == [[0, 0, -1], [-2, 0, 0]]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (pb.SampleResponse(sequences=[pb.SampledSequence(tokens=b"123")]), "not a multiple"),
        (pb.SampleResponse(sequences=[pb.SampledSequence(stop_reason=2)]), "stop reason is 2"),  # type: ignore[arg-type]
        (pb.SampleResponse(topk_prompt_logprobs=pb.TopkLogprobs(k=2, length=3)), "3 rows of 2"),
        (
            pb.SampleResponse(topk_prompt_logprobs=pb.TopkLogprobs(k=2**32 - 1, length=2**32 - 1)),
            "most likely tokens have 0 and 0 bytes",
        ),
        (
            pb.SampleResponse(prompt_alt_tokens=pb.PromptAltTokens()),
            "array of the prompt's alternative tokens is missing",
        ),
        (pb.SampleResponse(target_prompt_logprobs=pb.Tensor(dense=b"1234")), "element type is 0"),
        (
            pb.SampleResponse(target_prompt_logprobs=pb.Tensor(dtype=pb.DTYPE_FLOAT32, shape=[2])),
            "does not match its 0 values",
        ),
    ],
)
def test_samples_that_contradict_themselves(message: pb.SampleResponse, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        protobuf.decode_sample_response(message.SerializeToString(), [], 3)


# ---- how many datums, and of which type -----------------------------------------------------


@pytest.mark.parametrize("count", [-1, 2**20 + 1, 2**62])
def test_a_number_of_datums_that_no_batch_has(count: int) -> None:
    message = pb.ForwardBackwardOutput()
    message.loss_fn_outputs.add(num_datums=1)
    message.loss_fn_outputs.add(num_datums=count)
    with pytest.raises(ValueError, match=f"cannot have {count} datums"):
        protobuf.decode_forward_backward_output(message.SerializeToString())


def test_rows_of_nothing() -> None:
    message = pb.ForwardBackwardOutput()
    record = message.loss_fn_outputs.add(num_datums=2)
    nothing = pb.BatchedTensor(
        offsets=bytes(24), dtype=pb.DTYPE_FLOAT32, trailing_shape=[0]
    )  # fmt: skip
    record.fields["k"].CopyFrom(nothing)
    decoded = protobuf.decode_forward_backward_output(message.SerializeToString())
    assert [output["k"].shape for output in decoded.loss_fn_outputs] == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("sent", "records", "shown"),
    [("", 0, "ArrayRecord"), ("", 1, ""), ("a:b:Loss", 1, "Loss"), ("Loss", 0, "Loss")],
)
def test_the_type_of_the_outputs(sent: str, records: int, shown: str) -> None:
    message = pb.ForwardBackwardOutput(loss_fn_output_type=sent)
    message.loss_fn_outputs.extend([pb.ArrayRecord(num_datums=1)] * records)
    decoded = protobuf.decode_forward_backward_output(message.SerializeToString())
    assert decoded.loss_fn_output_type == shown
    assert decoded.loss_fn_outputs == [{}] * records


# ---- garbage --------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    """Of what protobuf itself writes, the number."""
    return pb.ArrayRecord(num_datums=number).SerializeToString()[1:] or b"\0"


USED = st.integers(1, 7)
"""Numbers of fields."""
NUMBERS = st.sampled_from([-(2**63), -1, 0, 1, 2, 4, 2**31, 2**62]).map(varint)


def some_fields(
    contents: st.SearchStrategy[bytes], numbers: st.SearchStrategy[int]
) -> st.SearchStrategy[bytes]:
    """Messages whose fields have any kind: also the wrong one."""
    one = st.one_of(
        st.tuples(st.just(0), NUMBERS),
        st.tuples(st.just(1), st.binary(min_size=8, max_size=8)),
        st.tuples(st.just(2), contents.map(lambda c: varint(len(c)) + c)),
        st.tuples(st.just(5), st.binary(min_size=4, max_size=4)),
    )
    field = st.builds(lambda n, f: bytes([n << 3 | f[0]]) + f[1], numbers, one)
    return st.lists(field, max_size=6).map(b"".join)


MESSAGES = st.recursive(
    st.sampled_from([b"", bytes(4), bytes(8), bytes(16), b"name", b"\xff"]) | st.binary(max_size=9),
    lambda contents: some_fields(contents, USED),
    max_leaves=12,
)


def full_results() -> tuple[bytes, bytes]:
    """A result of training and one of sampling, with every field."""
    outputs = [
        {"logprobs": np.arange(20, dtype=np.float32), "x": np.ones(3, np.float32)} for _ in range(3)
    ]
    trained = results.loss_to_protobuf(
        LossResult(output_type="X", outputs=outputs, metrics={"loss:sum": 1.0})
    )
    tensor = pb.Tensor(dense=bytes(8), dtype=pb.DTYPE_FLOAT32, shape=[2, 1])
    topk = pb.TopkLogprobs(token_ids=bytes(8), logprobs=bytes(8), k=1, length=2)
    sampled = pb.SampleResponse(
        sequences=[
            pb.SampledSequence(tokens=bytes(8), logprobs=bytes(8), topk_sampled_logprobs=topk)
        ],
        prompt_logprobs=bytes(8),
        topk_prompt_logprobs=topk,
        prompt_cache_hit_tokens=1,
        target_prompt_logprobs=tensor,
        prompt_alt_tokens=pb.PromptAltTokens(tokens=tensor, logprobs=tensor),
    )
    return trained, sampled.SerializeToString()


TRAINED, SAMPLED = full_results()


def decode_as_either(content: bytes) -> None:
    """Decode; nothing but a ValueError with a text may come out of it."""
    for kind, decode in (
        (types.ForwardBackwardOutput, protobuf.decode_forward_backward_output),
        (types.SampleResponse, lambda c: protobuf.decode_sample_response(c, [], 3)),
    ):
        try:
            decoded = decode(content)
        except ValueError as error:
            assert str(error)
        else:
            assert isinstance(decoded, kind)


@given(content=st.binary(max_size=200) | some_fields(MESSAGES, USED))
@settings(max_examples=500)
def test_garbage_is_a_value_error_or_a_message(content: bytes) -> None:
    decode_as_either(content)


@given(
    content=st.sampled_from([TRAINED, SAMPLED]), at=st.integers(0, 10_000), byte=st.integers(0, 255)
)
def test_one_wrong_byte_is_a_value_error_or_a_message(content: bytes, at: int, byte: int) -> None:
    at %= len(content)
    decode_as_either(content[:at] + bytes([byte]) + content[at + 1 :])


def test_what_is_cut_short_is_a_value_error_or_lacks_a_field() -> None:
    for cut in range(len(TRAINED)):
        try:
            decoded = protobuf.decode_forward_backward_output(TRAINED[:cut])
        except ValueError:
            continue
        assert len(decoded.loss_fn_outputs) in (0, 3)
    whole = protobuf.decode_sample_response(SAMPLED, [], 2)
    for cut in range(len(SAMPLED)):
        try:
            part = protobuf.decode_sample_response(SAMPLED[:cut], [], 2)
        except ValueError:
            continue
        assert part != whole


@pytest.mark.parametrize(
    "content", [b"\xff" * 9 + b"\x7f", b"\x20" + b"\xff" * 9 + b"\x02", b"\x20" + b"\xff" * 11]
)
def test_a_number_of_more_than_64_bits_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a protobuf message"):
        protobuf.decode_sample_response(content, [], 1)


@given(unknown=some_fields(MESSAGES, numbers=st.integers(8, 15)))
def test_unknown_fields_are_passed_over(unknown: bytes) -> None:
    content = b"".join([unknown, TRAINED, unknown])
    assert protobuf.decode_forward_backward_output(content) == (
        protobuf.decode_forward_backward_output(TRAINED)
    )
