"""Reads the results of sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinker import types
from tinker._codec.protobuf import arrays
from tinker._codec.protobuf.arrays import FLOAT32, INT32, INT64, NOTHING, WIRE_TYPES
from tinker._codec.wire import BYTES, VARINT, fields, signed
from tinker.types._arrays import Array
from tinker.types.topk_logprobs import NO_LOGPROB

_STOP_REASONS: Mapping[int, types.StopReason] = {0: "stop", 1: "length"}


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
    reason, tokens, logprobs, topk = 0, NOTHING, None, None
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
        _STOP_REASONS[reason],
        sequence_id,
        arrays.to_array(tokens, WIRE_TYPES[INT32]),
        logprobs,
        topk,
    )


def _logprobs(content: memoryview) -> Array | None:
    """None for an empty array: the request did not ask for it."""
    return arrays.to_array(content, WIRE_TYPES[FLOAT32]) if content else None


def _topk(message: memoryview) -> types.TopkLogprobs | None:
    """None if it is empty: the request did not ask for it."""
    ids, logprobs, k, length = NOTHING, NOTHING, 0, 0
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
        arrays.to_array(ids, WIRE_TYPES[INT32]).reshape(length, k),
        arrays.to_array(logprobs, WIRE_TYPES[FLOAT32]).reshape(length, k),
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
    content, dtype, indices = NOTHING, 0, None
    shape: list[int] = []
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            content, indices = value, None
        elif number == 2 and kind == BYTES:
            content, *indices = _csr(value)
        elif number == 3 and kind == VARINT:
            dtype = value
        elif number == 4:
            arrays.add_axes(shape, value, kind)
    values, _ = arrays.to_values(content, dtype)
    if indices is None:
        return types.TensorData(values, shape=shape or None)
    crow, col = (arrays.to_array(part, WIRE_TYPES[INT64]) for part in indices)
    return types.TensorData(values, None, shape, crow, col)


def _csr(message: memoryview) -> list[memoryview]:
    """Values, row pointers and column indices of a sparse array."""
    parts = [NOTHING, NOTHING, NOTHING]
    for number, kind, value in fields(message):
        if number <= len(parts) and kind == BYTES:
            parts[number - 1] = value
    return parts
