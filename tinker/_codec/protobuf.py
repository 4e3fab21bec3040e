"""The binary encoding of batches and results: the messages of codegen/tinker.proto, by hand.

A batch is the bytes of its arrays with a few bytes before each: they are put in a list, and copied once. A
result's arrays are slices of its bytes. Neither looks at a number, so a batch costs what copying it costs.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tinker import types
from tinker._codec._wire import BYTES, FIXED64, VARINT, field, fields, key, packed, varint

_FLOAT32, _INT64, _INT32, _BFLOAT16 = 1, 2, 3, 4
_DTYPES = {_FLOAT32: "<f4", _INT64: "<i8", _INT32: "<i4", _BFLOAT16: "<u2"}
_STOP_REASONS: Mapping[int, types.StopReason] = {0: "stop", 1: "length"}

Buffer = Any
"""bytes, or an array whose memory is contiguous."""
Piece = tuple[int, list[Buffer]]
"""Buffers to be written one after the other, and how many bytes they are together."""

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
        ValueError: An input has an image asset pointer, which this encoding has not.
    """
    buffers: list[Buffer] = [field(1, model_id.encode()), key(2, VARINT), varint(seq_id)]
    for datum in data:
        size, pieces = _datum(datum)
        buffers.append(key(3) + varint(size))
        buffers += pieces
    buffers.append(field(4, loss_fn.encode()))
    for name, value in (loss_fn_config or {}).items():
        if not isinstance(value, str):
            number = struct.pack("<d", value)
            buffers.append(field(5, field(1, name.encode()) + key(2, FIXED64) + number))
    if forward_only:
        buffers.append(key(6, VARINT) + b"\1")
    for name, value in (loss_fn_config or {}).items():
        if isinstance(value, str):
            either = field(2, value.encode())
        else:
            either = key(1, FIXED64) + struct.pack("<d", value)
        buffers.append(field(7, field(1, name.encode()) + field(2, either)))
    return b"".join(buffers)


def compress(content: bytes) -> bytes:
    """One zstd frame. Level 1: higher ones take longer than the network does."""
    import zstandard  # noqa: PLC0415  # only servers that ask for it need it

    return zstandard.ZstdCompressor(level=1).compress(content)


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


# What stands before and after an array depends on its size alone, and a batch has few sizes.


@lru_cache(maxsize=4096)
def _text_head(nbytes: int) -> bytes:
    """A datum's chunk of text, up to the bytes of its tokens."""
    tokens = key(1) + varint(nbytes)
    text = key(1) + varint(len(tokens) + nbytes)
    chunk = key(1) + varint(len(text) + len(tokens) + nbytes)
    return chunk + text + tokens


@lru_cache(maxsize=4096)
def _dense_frame(name: str, dtype: str, shape: tuple[int, ...], nbytes: int) -> tuple[bytes, bytes]:
    """A datum's named dense tensor: what is before and what is after the bytes of its values."""
    values, tail = key(1) + varint(nbytes), _type_and_shape(dtype, shape)
    tensor_size = len(values) + nbytes + len(tail)
    inner = field(1, name.encode()) + key(2) + varint(tensor_size)
    return key(2) + varint(len(inner) + tensor_size) + inner + values, tail


def _other_chunk(chunk: types.ModelInputChunk) -> bytes:
    match chunk:
        case types.ImageChunk():
            content = field(1, chunk.data) + field(2, chunk.format.encode())
            if chunk.expected_tokens is not None:
                content += key(3, VARINT) + varint(chunk.expected_tokens)
            return field(2, content)
        case types.DmelChunk():
            return field(3, field(1, chunk.dmel))
        case _:
            raise ValueError(
                "An ImageAssetPointerChunk has no binary form, and this server reads no other: "
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
    content += key(2, VARINT) + varint(span.offset) + key(3, VARINT) + varint(span.length)
    return field(1 if isinstance(span, types.PromptProvenanceSpan) else 2, content)


# ---- results --------------------------------------------------------------------------------


def decode_forward_backward_output(content: bytes) -> types.ForwardBackwardOutput:
    """A `ForwardBackwardOutput`. Its arrays are read-only parts of `content`.

    Raises:
        ValueError: The bytes are no such message.
    """
    output_type, metrics = "ArrayRecord", {}
    outputs: list[types.LossFnOutput] = []
    for number, kind, value in _message(content):
        if number == 1 and kind == BYTES:
            # What stands before a colon is the server's own.
            output_type = _text(value).rpartition(":")[2]
        elif number == 2 and kind == BYTES:
            outputs += _array_record(value)
        elif number == 3 and kind == BYTES:
            name, metric = _map_entry(value)
            metrics[name] = _double(metric)
    return types.ForwardBackwardOutput._of(output_type, outputs, metrics)


def _array_record(message: memoryview) -> list[types.LossFnOutput]:
    """One mapping of arrays for each datum."""
    count, columns = 0, {}
    for number, kind, value in fields(message):
        if number == 2 and kind == BYTES:
            name, tensor = _map_entry(value)
            columns[name] = _batched_tensor(tensor)
        elif number == 3 and kind == VARINT:
            count = value
    if not columns:
        return [{} for _ in range(_sane(count))]
    count = count or len(next(iter(columns.values())))
    if any(len(column) != count for column in columns.values()):
        raise ValueError("the arrays of a result are not as many as its datums")
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _batched_tensor(message: memoryview) -> list[types.TensorData]:
    """One array for each datum, out of the one that holds them all."""
    data, offsets, dtype, trailing = memoryview(b""), memoryview(b""), 0, []
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            data = value
        elif number == 2 and kind == BYTES:
            offsets = value
        elif number == 3 and kind == VARINT:
            dtype = value
        elif number == 4:
            trailing += packed(value, kind)
    values, itemsize = _values(data, dtype)
    # Offsets count bytes of what is on the wire.
    bounds = _array(offsets, "<i8")
    if len(bounds) == 0 or (bounds % itemsize).any():
        raise ValueError("the offsets of a result's array do not fall on its elements")
    ends = (bounds // itemsize).tolist()
    if ends[0] != 0 or ends[-1] != len(values) or sorted(ends) != ends:
        raise ValueError("the offsets of a result's array do not fit it")
    make = types.TensorData._of
    if not trailing:
        return [make(values[a:b], [b - a]) for a, b in itertools.pairwise(ends)]
    row = math.prod(trailing)
    if row <= 0 or any((b - a) % row for a, b in itertools.pairwise(ends)):
        raise ValueError("a result's array does not fit its shape")
    return [make(values[a:b], [(b - a) // row, *trailing]) for a, b in itertools.pairwise(ends)]


def decode_sample_response(
    content: bytes, sequence_ids: Sequence[str], prompt_length: int
) -> types.SampleResponse:
    """A `SampleResponse`.

    The documented form of its `prompt_logprobs` has one number for each token of the prompt, the first one
    NaN; some servers leave the first one out, and it is put back.

    Raises:
        ValueError: The bytes are no such message.
    """
    names = iter(sequence_ids)
    sequences: list[types.SampledSequence] = []
    logprobs, topk, cached, targets, alternatives = None, None, 0, None, None
    for number, kind, value in _message(content):
        if number == 1 and kind == BYTES:
            sequences.append(_sequence(value, next(names, "")))
        elif number == 2 and kind == BYTES and len(value):
            logprobs = _array(value, "<f4")
            if len(logprobs) == prompt_length - 1:
                logprobs = np.concatenate([np.full(1, np.nan, np.float32), logprobs])
        elif number == 3 and kind == BYTES:
            topk = _topk(value)
        elif number == 4 and kind == VARINT:
            cached = value
        elif number == 5 and kind == BYTES:
            targets = _result_tensor(value)
        elif number == 6 and kind == BYTES:
            alternatives = _alternatives(value)
    return types.SampleResponse(sequences, logprobs, topk, targets, cached, alternatives)


def _sequence(message: memoryview, sequence_id: str) -> types.SampledSequence:
    reason, tokens, logprobs, topk = 0, np.zeros(0, np.int32), None, None
    for number, kind, value in fields(message):
        if number == 1 and kind == VARINT:
            reason = value
        elif number == 2 and kind == BYTES:
            tokens = _array(value, "<i4")
        elif number == 3 and kind == BYTES and len(value):
            logprobs = _array(value, "<f4")
        elif number == 4 and kind == BYTES:
            topk = _topk(value)
    if reason not in _STOP_REASONS:
        raise ValueError(f"unknown stop reason {reason}")
    return types.SampledSequence(_STOP_REASONS[reason], sequence_id, tokens, logprobs, topk)


def _topk(message: memoryview) -> types.TopkLogprobs:
    ids, logprobs, k, length = memoryview(b""), memoryview(b""), 0, 0
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            ids = value
        elif number == 2 and kind == BYTES:
            logprobs = value
        elif number == 3 and kind == VARINT:
            k = value
        elif number == 4 and kind == VARINT:
            length = value
    shape = (length, k)
    return types.TopkLogprobs(
        _array(ids, "<i4").reshape(shape), _array(logprobs, "<f4").reshape(shape)
    )


def _alternatives(message: memoryview) -> types.PromptAltTokens:
    members = {number: value for number, kind, value in fields(message) if kind == BYTES}
    return types.PromptAltTokens(_result_tensor(members[1]), _result_tensor(members[2]))


def _result_tensor(message: memoryview) -> types.TensorData:
    dense, csr, dtype, shape = None, None, 0, []
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            dense = value
        elif number == 2 and kind == BYTES:
            csr = {n: v for n, k, v in fields(value) if k == BYTES}
        elif number == 3 and kind == VARINT:
            dtype = value
        elif number == 4:
            shape += packed(value, kind)
    if csr is None:
        return types.TensorData(_values(dense or memoryview(b""), dtype)[0], shape=shape or None)
    return types.TensorData(
        _values(csr.get(1, memoryview(b"")), dtype)[0],
        shape=shape,
        sparse_crow_indices=_array(csr.get(2, memoryview(b"")), "<i8"),
        sparse_col_indices=_array(csr.get(3, memoryview(b"")), "<i8"),
    )


# ---- values ---------------------------------------------------------------------------------


def _message(content: bytes) -> Iterator[tuple[int, int, Any]]:
    return fields(memoryview(content))


def _array(content: memoryview, dtype: str) -> np.ndarray[Any, Any]:
    if len(content) % np.dtype(dtype).itemsize:
        raise ValueError(f"{len(content)} bytes are no whole number of {dtype} elements")
    return np.frombuffer(content, dtype)


def _values(content: memoryview, dtype: int) -> tuple[np.ndarray[Any, Any], int]:
    """An array as int64 or float32, and the size of its elements on the wire."""
    wire_type = _DTYPES.get(dtype)
    if wire_type is None:
        raise ValueError(f"an array's element type is {dtype}, which is none of the known")
    array = _array(content, wire_type)
    size = array.itemsize
    if dtype == _BFLOAT16:
        array = (array.astype("<u4") << 16).view("<f4")
    elif dtype == _INT32:
        array = array.astype(np.int64)
    return array, size


def _map_entry(message: memoryview) -> tuple[str, Any]:
    name, value = "", memoryview(b"")
    for number, _, content in fields(message):
        if number == 1:
            name = _text(content)
        elif number == 2:
            value = content
    return name, value


def _text(content: memoryview) -> str:
    return str(content, "utf-8")


def _double(content: memoryview) -> float:
    if len(content) == 0:
        return 0.0  # a zero is not written
    (number,) = _unpack_double(content)
    return number


_unpack_double: Callable[[memoryview], tuple[float]] = struct.Struct("<d").unpack


def _sane(count: int) -> int:
    """A number of empty outputs; what is more than any batch is not one."""
    if count > 10_000_000:
        raise ValueError(f"a result cannot be of {count} datums")
    return count
