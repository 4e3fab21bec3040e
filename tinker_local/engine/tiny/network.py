"""The causal transformer, written once for training, for scoring prompts and for decoding.

Everything is `autograd.numpy`, so that gradients are autograd's; on plain arrays it is numpy.
The two uses differ only in the attention they pass in: over the whole sequence
(`causal_attention`), or over a cache of earlier keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import autograd.numpy as np
import numpy
import numpy.typing as npt
from autograd.extend import notrace_primitive

from tinker_local.engine.tiny.base_model import (
    EMBED,
    UNEMBED,
    Sizes,
    matrix_name,
    rotary_frequencies,
)

Attention = Callable[[int, Any, Any, Any], Any]
"""(layer, queries, keys, values), each [batch * heads, length, head_width] -> the values' mix."""

BLOCK = 128
"""Attention is computed in blocks of this many tokens; blocks of the future are skipped."""

EPSILON = 1e-6


def log_probs(
    matrices: Mapping[str, Any],
    sizes: Sizes,
    tokens: npt.NDArray[numpy.int64],
    positions: npt.NDArray[numpy.int64],
    attention: Attention,
) -> Any:
    """The next token's log-probabilities at every position: [batch * length, vocab].

    `tokens` is [batch, length]; `positions` is [length] or [batch, length].
    """
    batch, length = tokens.shape
    rotation = _rotation(sizes, positions, matrices[EMBED].dtype)

    def split_heads(x: Any) -> Any:
        split = np.reshape(x, (batch, length, sizes.heads, sizes.head_width))
        return np.reshape(np.swapaxes(split, 1, 2), (-1, length, sizes.head_width))

    def join_heads(x: Any) -> Any:
        split = np.reshape(x, (batch, sizes.heads, length, sizes.head_width))
        return np.reshape(np.swapaxes(split, 1, 2), (batch * length, sizes.width))

    x = matrices[EMBED][tokens.ravel()]
    for layer in range(sizes.layers):
        q, k, v, o, gate, up, down = (
            matrices[matrix_name(layer, part)]
            for part in (
                "q_proj",
                "k_proj",
                "v_proj",
                "o_proj",
                "gate_proj",
                "up_proj",
                "down_proj",
            )
        )
        h = _rms_norm(x)
        queries = _rotate(_unit(split_heads(h @ q)), rotation) * sizes.sharpness
        keys = _rotate(_unit(split_heads(h @ k)), rotation)
        mixed = attention(layer, queries, keys, split_heads(h @ v))
        x = x + join_heads(mixed) @ o
        h = _rms_norm(x)
        x = x + (_silu(h @ gate) * (h @ up)) @ down
    return _log_softmax(_rms_norm(x) @ matrices[UNEMBED])


def causal_attention(layer: int, queries: Any, keys: Any, values: Any) -> Any:
    """Attention of every position to itself and those before it.

    Scores are bounded (unit vectors times the sharpness), so that exponentials need no maximum
    taken off and blocks just add up. A column of ones beside the values sums the denominator.
    """
    del layer
    length = queries.shape[1]
    ones = numpy.ones((*values.shape[:-1], 1), dtype=queries.dtype)
    edges = list(range(BLOCK, length, BLOCK))
    q_blocks = np.split(queries, edges, axis=1)
    k_blocks = np.split(np.swapaxes(keys, -1, -2), edges, axis=2)
    v_blocks = np.split(np.concatenate([values, ones], axis=-1), edges, axis=1)
    sums = []
    for i, q in enumerate(q_blocks):
        past = numpy.tri(q.shape[1], dtype=queries.dtype)
        total = (np.exp(q @ k_blocks[i]) * past) @ v_blocks[i]
        for k, v in zip(k_blocks[:i], v_blocks[:i], strict=True):
            total = total + np.exp(q @ k) @ v
        sums.append(total)
    numerator, denominator = np.split(np.concatenate(sums, axis=1), [values.shape[-1]], axis=-1)
    return numerator / denominator


def _rotation(
    sizes: Sizes, positions: npt.NDArray[numpy.int64], dtype: npt.DTypeLike
) -> tuple[Any, Any]:
    """Cosines and sines, [length, head_width / 2] or [batch * heads, length, head_width / 2]."""
    angles = positions[..., None] * rotary_frequencies(sizes)
    if positions.ndim == 2:
        angles = numpy.repeat(angles, sizes.heads, axis=0)
    return numpy.cos(angles).astype(dtype), numpy.sin(angles).astype(dtype)


def _rotate(x: Any, rotation: tuple[Any, Any]) -> Any:
    cosine, sine = rotation
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * cosine - b * sine, b * cosine + a * sine], axis=-1)


def _rms_norm(x: Any) -> Any:
    return x * (_sum(np.square(x)) / x.shape[-1] + EPSILON) ** -0.5


def _unit(x: Any) -> Any:
    return x * (_sum(np.square(x)) + EPSILON) ** -0.5


def _sum(x: Any) -> Any:
    """The sum over the last axis, kept, as a matrix product: autograd's gradient of that is quick."""
    return x @ numpy.ones((x.shape[-1], 1), dtype=x.dtype)


def _silu(x: Any) -> Any:
    return x * (0.5 + 0.5 * np.tanh(0.5 * x))  # by tanh, which cannot overflow


_row_maximum = notrace_primitive(lambda x: numpy.max(x, axis=-1, keepdims=True))


def _log_softmax(logits: Any) -> Any:
    shifted = logits - _row_maximum(logits)
    return shifted - np.log(_sum(np.exp(shifted)))
