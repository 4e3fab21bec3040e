"""Writes batches."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tinker import types
from tinker._codec.protobuf.arrays import DOUBLE, FLOAT32, INT64
from tinker._codec.wire import FIXED64, VARINT, field, int_field, key, varint

Buffer = Any
"""Bytes, or a contiguous array."""
Piece = tuple[int, list[Buffer]]
"""Buffers to write one after the other, and their total size in bytes."""


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
        return DOUBLE.pack(value)
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
    number = INT64 if dtype == "int64" else FLOAT32
    sizes = b"".join(varint(size) for size in shape)
    return key(3, VARINT) + varint(number) + (field(4, sizes) if shape else b"")


def _span(span: types.PromptProvenanceSpan | types.SampledProvenanceSpan) -> bytes:
    content = field(1, span.sequence_id.encode())
    content += int_field(2, span.offset, 64, "the offset of a provenance span")
    content += int_field(3, span.length, 64, "the length of a provenance span")
    return field(1 if isinstance(span, types.PromptProvenanceSpan) else 2, content)
