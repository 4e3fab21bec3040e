"""The binary encoding of batches and results: a handwritten codec of the messages in codegen/tinker.proto.

A batch is the bytes of its arrays with a few bytes before each, collected in a list and copied once. The arrays of
a result are slices of its bytes. No number is converted, so a batch costs one copy of its bytes.

As in protobuf, a reader skips fields that it does not know or that have another wire type.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tinker import types
from tinker._codec.wire import (
    BYTES,
    FIXED64,
    VARINT,
    field,
    fields,
    int_field,
    key,
    repeated,
    signed,
    varint,
)
from tinker.types._arrays import Array
from tinker.types.topk_logprobs import NO_LOGPROB

_FLOAT32, _INT64, _INT32, _BFLOAT16 = 1, 2, 3, 4
_WIRE_TYPES: Mapping[int, np.dtype[Any]] = {
    _FLOAT32: np.dtype("<f4"),
    _INT64: np.dtype("<i8"),
    _INT32: np.dtype("<i4"),
    _BFLOAT16: np.dtype("<u2"),
}
_STOP_REASONS: Mapping[int, types.StopReason] = {0: "stop", 1: "length"}
_NOTHING = memoryview(b"")
_DOUBLE = struct.Struct("<d")

_MAX_DATUMS = 2**20
"""Limit of a result. More means that the bytes are corrupt, and would fill the memory."""
_MAX_AXES = 16
"""Limit of an array's dimensions. More means that the bytes are corrupt."""

Buffer = Any
"""Bytes, or a contiguous array."""
Piece = tuple[int, list[Buffer]]
"""Buffers to write one after the other, and their total size in bytes."""

# ---- requests -------------------------------------------------------------------------------


def encode_forward_backward(
    model_id: str,
    seq_id: int,
    data: Sequence[types.Datum],
    loss_fn: str,
    loss_fn_config: Mapping[str, float | str] | None,
    *,
    forward_only: bool,
) -> bytes:
    """A `ForwardBackwardRequest`.

    Raises:
        ValueError: An input has an image asset pointer, which this encoding cannot carry, or a number
            does not fit its field.
    """
    buffers: list[Buffer] = [field(1, model_id.encode()), int_field(2, seq_id, 32, "seq_id")]
    for datum in data:
        size, pieces = _datum(datum)
        buffers.append(key(3) + varint(size))
        buffers += pieces
    numbers, values = _config(loss_fn_config or {})
    buffers += [field(4, loss_fn.encode()), numbers]
    if forward_only:
        buffers.append(key(6, VARINT) + b"\1")
    buffers.append(values)
    return b"".join(buffers)


def _config(config: Mapping[str, float | str]) -> tuple[bytes, bytes]:
    """The settings of a loss, twice: the numbers alone, for older servers; then all settings."""
    numbers, values = b"", b""
    for name, value in config.items():
        label = field(1, name.encode())
        if isinstance(value, str):
            either = field(2, value.encode())
        else:
            number = _double(name, value)
            numbers += field(5, label + key(2, FIXED64) + number)
            either = key(1, FIXED64) + number
        values += field(7, label + field(2, either))
    return numbers, values


def _double(name: str, value: float) -> bytes:
    try:
        return _DOUBLE.pack(value)
    except (struct.error, OverflowError):
        raise ValueError(
            f"loss_fn_config[{name!r}] is {value!r}; it must be a number or a string."
        ) from None


def _datum(datum: types.Datum) -> Piece:
    size = 0
    buffers: list[Buffer] = []
    for chunk in datum.model_input.chunks:
        if isinstance(chunk, types.EncodedTextChunk):
            tokens = chunk.tokens_np
            head = _text_head(tokens.nbytes)
            size += len(head) + tokens.nbytes
            buffers += (head, tokens)
        else:
            encoded = field(1, _other_chunk(chunk))
            size += len(encoded)
            buffers.append(encoded)
    for name, tensor in datum.loss_fn_inputs.items():
        if tensor.crow_indices_np is None:
            values = tensor.values_np
            head, tail = _dense_frame(name, tensor.dtype, tuple(tensor.shape), values.nbytes)
            size += len(head) + values.nbytes + len(tail)
            buffers += (head, values, tail)
        else:
            encoded = field(2, field(1, name.encode()) + field(2, _sparse(tensor)))
            size += len(encoded)
            buffers.append(encoded)
    for number, spans in ((3, datum.model_input_spans), (4, datum.loss_fn_input_spans)):
        for span in spans or ():
            encoded = field(number, _span(span))
            size += len(encoded)
            buffers.append(encoded)
    return size, buffers


# The bytes before and after an array depend only on its size, and a batch has few sizes.


@lru_cache(maxsize=4096)
def _text_head(nbytes: int) -> bytes:
    """The start of a datum's text chunk, up to the bytes of its tokens."""
    tokens = key(1) + varint(nbytes)
    text = key(1) + varint(len(tokens) + nbytes)
    chunk = key(1) + varint(len(text) + len(tokens) + nbytes)
    return chunk + text + tokens


@lru_cache(maxsize=4096)
def _dense_frame(name: str, dtype: str, shape: tuple[int, ...], nbytes: int) -> tuple[bytes, bytes]:
    """The bytes before and after the values of a datum's named dense tensor."""
    values, tail = key(1) + varint(nbytes), _type_and_shape(dtype, shape)
    tensor_size = len(values) + nbytes + len(tail)
    inner = field(1, name.encode()) + key(2) + varint(tensor_size)
    return key(2) + varint(len(inner) + tensor_size) + inner + values, tail


def _other_chunk(chunk: types.ModelInputChunk) -> bytes:
    match chunk:
        case types.ImageChunk():
            content = field(1, chunk.data) + field(2, chunk.format.encode())
            if chunk.expected_tokens is not None:
                content += int_field(3, chunk.expected_tokens, 32, "ImageChunk.expected_tokens")
            return field(2, content)
        case types.DmelChunk():
            return field(3, field(1, chunk.dmel))
        case _:
            raise ValueError(
                "An ImageAssetPointerChunk cannot be sent as protobuf, the only encoding that this server reads: "
                "send the image itself, as an ImageChunk."
            )


def _sparse(tensor: types.TensorData) -> bytes:
    arrays = (tensor.values_np, tensor.crow_indices_np, tensor.col_indices_np)
    csr = b"".join(
        field(number, np.ascontiguousarray(array).tobytes())
        for number, array in enumerate(arrays, 1)
        if array is not None
    )
    return field(2, csr) + _type_and_shape(tensor.dtype, tuple(tensor.shape))


def _type_and_shape(dtype: str, shape: tuple[int, ...]) -> bytes:
    number = _INT64 if dtype == "int64" else _FLOAT32
    sizes = b"".join(varint(size) for size in shape)
    return key(3, VARINT) + varint(number) + (field(4, sizes) if shape else b"")


def _span(span: types.PromptProvenanceSpan | types.SampledProvenanceSpan) -> bytes:
    content = field(1, span.sequence_id.encode())
    content += int_field(2, span.offset, 64, "the offset of a provenance span")
    content += int_field(3, span.length, 64, "the length of a provenance span")
    return field(1 if isinstance(span, types.PromptProvenanceSpan) else 2, content)


# ---- results of training --------------------------------------------------------------------


def decode_forward_backward_output(content: bytes) -> types.ForwardBackwardOutput:
    """A `ForwardBackwardOutput`.

    Raises:
        ValueError: The bytes are not a message of this type.
    """
    output_type, metrics, records = "", {}, 0
    outputs: list[types.LossFnOutput] = []
    for number, kind, value in fields(memoryview(content)):
        if number == 1 and kind == BYTES:
            # The part before the colon is specific to the server.
            output_type = _text(value).rpartition(":")[2]
        elif number == 2 and kind == BYTES:
            records += 1
            outputs += _array_record(value, _MAX_DATUMS - len(outputs))
        elif number == 3 and kind == BYTES:
            name, metric = _map_entry(value, FIXED64)
            metrics[name] = (
                _DOUBLE.unpack(metric)[0] if metric else 0.0
            )  # protobuf does not write zeros
    if not records and not output_type:
        output_type = "ArrayRecord"
    return types.ForwardBackwardOutput._of(output_type, outputs, metrics)


def _array_record(message: memoryview, most: int) -> list[types.LossFnOutput]:
    """One mapping of arrays for each datum, at most `most` of them."""
    count, columns = 0, {}
    for number, kind, value in fields(message):
        if number == 2 and kind == BYTES:
            name, tensor = _map_entry(value, BYTES)
            columns[name] = _batched_tensor(tensor)
        elif number == 3 and kind == VARINT:
            count = signed(value)
    # Some servers leave the count out; the arrays tell it.
    count = count or max(map(len, columns.values()), default=0)
    if not 0 <= count <= most:
        raise ValueError(f"a result cannot have {count} datums")
    if any(len(column) != count for column in columns.values()):
        raise ValueError("the number of arrays in a result differs from that of its datums")
    if not columns:
        return [{} for _ in range(count)]
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _batched_tensor(message: memoryview) -> list[types.TensorData]:
    """Split the batched array into one array for each datum."""
    data, offsets, dtype = _NOTHING, _NOTHING, 0
    trailing: list[int] = []
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            data = value
        elif number == 2 and kind == BYTES:
            offsets = value
        elif number == 3 and kind == VARINT:
            dtype = value
        elif number == 4:
            _add_axes(trailing, value, kind)
    values, itemsize = _values(data, dtype)
    # Offsets count bytes of the encoded array.
    ends, remainders = np.divmod(_array(offsets, _WIRE_TYPES[_INT64]), itemsize)
    if remainders.any():
        raise ValueError("the offsets of a result's array do not match the size of its elements")
    bounds: list[int] = ends.tolist() or [0]
    if bounds[0] != 0 or bounds[-1] != len(values) or sorted(bounds) != bounds:
        raise ValueError("the offsets of a result's array do not match its length")
    make = types.TensorData._of
    name: types.TensorDtype = "int64" if values.dtype.kind == "i" else "float32"
    if not trailing:
        return [make(values[a:b], name, [b - a]) for a, b in itertools.pairwise(bounds)]
    # Without elements, the number of rows is not known.
    row = math.prod(trailing) or len(values) + 1
    if any((b - a) % row for a, b in itertools.pairwise(bounds)):
        raise ValueError("a result's array does not match its shape")
    return [
        make(values[a:b], name, [(b - a) // row, *trailing]) for a, b in itertools.pairwise(bounds)
    ]


# ---- results of sampling --------------------------------------------------------------------


def decode_sample_response(
    content: bytes, sequence_ids: Sequence[str], prompt_length: int
) -> types.SampleResponse:
    """A `SampleResponse`.

    In the documented format, results for each token of the prompt have an empty first entry: NaN in
    `prompt_logprobs`, an empty row in `topk_prompt_logprobs`. Some servers leave it out; it is added here.

    Args:
        content: The message.
        sequence_ids: Names of the samples, in order; those without one are named "".
        prompt_length: Tokens of the prompt.

    Raises:
        ValueError: The bytes are not a message of this type.
    """
    names = iter(sequence_ids)
    sequences: list[types.SampledSequence] = []
    logprobs, topk, cached, targets, alternatives = None, None, 0, None, None
    for number, kind, value in fields(memoryview(content)):
        if number == 1 and kind == BYTES:
            sequences.append(_sequence(value, next(names, "")))
        elif number == 2 and kind == BYTES:
            logprobs = _logprobs(value)
        elif number == 3 and kind == BYTES:
            topk = _topk(value)
        elif number == 4 and kind == VARINT:
            cached = signed(value)
        elif number == 5 and kind == BYTES:
            targets = _tensor(value)
        elif number == 6 and kind == BYTES:
            alternatives = _alternatives(value)
    if logprobs is not None:
        logprobs = _with_first(logprobs, prompt_length, np.nan)
    if topk is not None:
        topk = types.TopkLogprobs(
            _with_first(topk.token_ids, prompt_length, 0),
            _with_first(topk.logprobs, prompt_length, NO_LOGPROB),
        )
    return types.SampleResponse(sequences, logprobs, topk, targets, cached, alternatives)


def _sequence(message: memoryview, sequence_id: str) -> types.SampledSequence:
    reason, tokens, logprobs, topk = 0, _NOTHING, None, None
    for number, kind, value in fields(message):
        if number == 1 and kind == VARINT:
            reason = value
        elif number == 2 and kind == BYTES:
            tokens = value
        elif number == 3 and kind == BYTES:
            logprobs = _logprobs(value)
        elif number == 4 and kind == BYTES:
            topk = _topk(value)
    if reason not in _STOP_REASONS:
        raise ValueError(f"a sample's stop reason is {reason}, which is unknown")
    return types.SampledSequence(
        _STOP_REASONS[reason], sequence_id, _array(tokens, _WIRE_TYPES[_INT32]), logprobs, topk
    )


def _logprobs(content: memoryview) -> Array | None:
    """None for an empty array: the request did not ask for it."""
    return _array(content, _WIRE_TYPES[_FLOAT32]) if content else None


def _topk(message: memoryview) -> types.TopkLogprobs | None:
    """None if it is empty: the request did not ask for it."""
    ids, logprobs, k, length = _NOTHING, _NOTHING, 0, 0
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            ids = value
        elif number == 2 and kind == BYTES:
            logprobs = value
        elif number == 3 and kind == VARINT:
            k = value
        elif number == 4 and kind == VARINT:
            length = value
    if not len(ids) == len(logprobs) == 4 * k * length:  # ids and logprobs have four bytes each
        raise ValueError(
            f"the most likely tokens have {len(ids)} and {len(logprobs)} bytes for {length} rows of {k}"
        )
    if not ids:
        return None
    return types.TopkLogprobs(
        _array(ids, _WIRE_TYPES[_INT32]).reshape(length, k),
        _array(logprobs, _WIRE_TYPES[_FLOAT32]).reshape(length, k),
    )


def _with_first(values: Array, prompt_length: int, missing: float) -> Array:
    """One row for each token of the prompt."""
    if len(values) != prompt_length - 1:
        return values
    return np.concatenate([np.full_like(values, missing, shape=(1, *values.shape[1:])), values])


def _alternatives(message: memoryview) -> types.PromptAltTokens:
    tokens = logprobs = None
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            tokens = _tensor(value)
        elif number == 2 and kind == BYTES:
            logprobs = _tensor(value)
    if tokens is None or logprobs is None:
        raise ValueError("an array of the prompt's alternative tokens is missing")
    return types.PromptAltTokens(tokens, logprobs)


def _tensor(message: memoryview) -> types.TensorData:
    content, dtype, indices = _NOTHING, 0, None
    shape: list[int] = []
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            content, indices = value, None
        elif number == 2 and kind == BYTES:
            content, *indices = _csr(value)
        elif number == 3 and kind == VARINT:
            dtype = value
        elif number == 4:
            _add_axes(shape, value, kind)
    values, _ = _values(content, dtype)
    if indices is None:
        return types.TensorData(values, shape=shape or None)
    crow, col = (_array(part, _WIRE_TYPES[_INT64]) for part in indices)
    return types.TensorData(values, None, shape, crow, col)


def _csr(message: memoryview) -> list[memoryview]:
    """Values, row pointers and column indices of a sparse array."""
    parts = [_NOTHING, _NOTHING, _NOTHING]
    for number, kind, value in fields(message):
        if number <= len(parts) and kind == BYTES:
            parts[number - 1] = value
    return parts


# ---- parts of results -----------------------------------------------------------------------


def _array(content: memoryview, dtype: np.dtype[Any]) -> Array:
    if len(content) % dtype.itemsize:
        raise ValueError(f"{len(content)} bytes are not a multiple of the size of {dtype}")
    return np.frombuffer(content, dtype).copy()  # aligned and writable


def _values(content: memoryview, dtype: int) -> tuple[Array, int]:
    """An array as int64 or float32, and the size of its elements on the wire."""
    if dtype not in _WIRE_TYPES:
        raise ValueError(f"an array's element type is {dtype}, which is unknown")
    array = _array(content, _WIRE_TYPES[dtype])
    size = array.itemsize
    if dtype == _BFLOAT16:
        array = (array.astype("<u4") << 16).view("<f4")
    elif dtype == _INT32:
        array = array.astype(np.int64)
    return array, size


def _add_axes(shape: list[int], value: Any, kind: int) -> None:
    for size in repeated(value, kind):
        if size < 0 or len(shape) == _MAX_AXES:
            raise ValueError(f"an array cannot have the shape {[*shape, size]}")
        shape.append(size)


def _map_entry(message: memoryview, kind_of_value: int) -> tuple[str, memoryview]:
    name, content = "", _NOTHING
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            name = _text(value)
        elif number == 2 and kind == kind_of_value:
            content = value
    return name, content


def _text(content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"a name in a result is not UTF-8: {error.reason}") from None
