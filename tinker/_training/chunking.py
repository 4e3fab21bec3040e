"""Splits a batch into requests. Pure.

A chunk is closed when the next datum would take it over one of three limits:

    examples   128         number of datums
    tokens     500,000     a datum's tokens are the length of its model_input; an image counts its
                           expected_tokens, and nothing if these are not known
    bytes      5,000,000   an estimate of the encoded size: 4 for each token of text, the length of an
                           image's, pointer's or audio's data, the tensors' own bytes and 8 for each
                           index of a sparse one

Datums keep their order. A datum that exceeds a limit by itself is sent alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from tinker import types
from tinker._codec.sizes import BYTES_PER_TOKEN, bytes_of


def _check_limit(instance: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        raise ValueError(f"ChunkLimits.{attribute.name} is {value}; it must be at least 1.")


@attrs.frozen
class ChunkLimits:
    """Limits of one request; see the module."""

    examples: int = attrs.field(default=128, validator=_check_limit)
    tokens: int = attrs.field(default=500_000, validator=_check_limit)
    bytes: int = attrs.field(default=5_000_000, validator=_check_limit)


@attrs.frozen
class BatchChunk:
    """The content of one request."""

    data: list[types.Datum]
    bytes: int
    """Estimated size in bytes."""


DEFAULT_LIMITS = ChunkLimits()


def split(data: Sequence[types.Datum], limits: ChunkLimits = DEFAULT_LIMITS) -> list[BatchChunk]:
    """Cut `data` into chunks, each as long as the limits allow.

    Raises:
        ValueError: `data` is empty.
    """
    if len(data) == 0:
        raise ValueError("data is empty: a batch needs at least one Datum.")
    chunks: list[BatchChunk] = []
    chunk: list[types.Datum] = []
    tokens = size = 0
    for datum in data:
        datum_tokens, datum_size = measure(datum)
        if chunk and (
            len(chunk) == limits.examples
            or tokens + datum_tokens > limits.tokens
            or size + datum_size > limits.bytes
        ):
            chunks.append(BatchChunk(chunk, size))
            chunk, tokens, size = [], 0, 0
        chunk.append(datum)
        tokens += datum_tokens
        size += datum_size
    chunks.append(BatchChunk(chunk, size))
    return chunks


def measure(datum: types.Datum) -> tuple[int, int]:
    """Tokens and estimated bytes of a datum."""
    tokens = size = 0
    for chunk in datum.model_input.chunks:
        tokens += _tokens_of(chunk)
        size += bytes_of(chunk, BYTES_PER_TOKEN)
    for tensor in datum.loss_fn_inputs.values():
        size += tensor.nbytes
    return tokens, size


def _tokens_of(chunk: types.ModelInputChunk) -> int:
    try:
        return chunk.length
    except ValueError:  # not known; code that needs it raises
        return 0
