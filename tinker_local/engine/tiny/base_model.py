"""The base model of the tiny engine: its sizes and its seeded weights.

The weights are drawn, not learned, so nothing has to be shipped or downloaded. They are drawn so
that low-rank fine-tuning alone learns a lot: some heads attend a fixed number of tokens back even before
training, so that the layers above can combine the last few bytes (see `_look_back`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import frozen

from tinker_local.engine.seeds import random_state

Matrix = npt.NDArray[np.floating[Any]]
Matrices = Mapping[str, Matrix]

EMBED = "embed"
UNEMBED = "unembed"
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


@frozen(kw_only=True)
class Sizes:
    """`sharpness` bounds the attention scores, which are scaled cosines; `rope_base` is the
    rotary embedding's; `look_back` is, for each layer and head, how many tokens back the head
    attends before any training (None: it attends by content only)."""

    layers: int = 2
    width: int = 128
    heads: int = 4
    hidden: int = 256
    vocab: int = 257
    context: int = 2048
    sharpness: float = 16.0
    rope_base: float = 1000.0
    look_back: tuple[tuple[int | None, ...], ...] = ((1, 2, 3, 5), (1, 4, None, None))

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def rotary_frequencies(sizes: Sizes) -> npt.NDArray[np.float64]:
    """Radians a token, one for each of the head's coordinate pairs: float64 [head_width / 2]."""
    half = sizes.head_width // 2
    return sizes.rope_base ** (-np.arange(half) / half)


def matrix_name(layer: int, part: str) -> str:
    return f"layers.{layer}.{part}"


def matrix_shapes(sizes: Sizes) -> dict[str, tuple[int, int]]:
    """The matrices that LoRA can adapt, as [inputs, outputs], in the order they are applied."""
    d, hidden = sizes.width, sizes.hidden
    shapes: dict[str, tuple[int, int]] = {}
    for layer in range(sizes.layers):
        shapes |= {matrix_name(layer, part): (d, d) for part in ATTENTION}
        shapes |= {matrix_name(layer, part): (d, hidden) for part in MLP}
        shapes[matrix_name(layer, "down_proj")] = (hidden, d)
    return shapes | {UNEMBED: (d, sizes.vocab)}


def base_weights(sizes: Sizes) -> dict[str, npt.NDArray[np.float32]]:
    """Every matrix of the model, the embedding [vocab, width] included."""
    weights = {EMBED: _uniform(EMBED, (sizes.vocab, sizes.width), deviation=1.0)}
    # One coordinate of the residual stream is the same at every position, and stays so: the
    # look-back heads
    # use it.
    weights[EMBED][:, 0] = 1.5
    for name, shape in matrix_shapes(sizes).items():
        weights[name] = _uniform(name, shape, deviation=_deviation(name, shape))
        if name.endswith(("o_proj", "down_proj")):
            weights[name][:, 0] = 0.0
    for layer, distances in enumerate(sizes.look_back):
        for head, distance in enumerate(distances):
            if distance is not None:
                _look_back(weights, sizes, layer, head, distance)
    return {name: weight.astype(np.float32) for name, weight in weights.items()}


def _deviation(name: str, shape: tuple[int, int]) -> float:
    if name == UNEMBED:
        # Small enough that an untrained model is nearly uniform over the bytes (5.8 nats, where
        # uniform is 5.55); large enough that the hidden state can move the logits on its own.
        return 0.06
    return float((2.0 if name.endswith("down_proj") else 1.0) / shape[0] ** 0.5)


def _look_back(
    weights: dict[str, npt.NDArray[np.float64]], sizes: Sizes, layer: int, head: int, distance: int
) -> None:
    """Make a head attend to the token `distance` back.

    The constant coordinate puts the same vector into every query, and into every key that vector
    turned by `distance` rotary steps: their product is then largest `distance` tokens apart.
    """
    columns = slice(head * sizes.head_width, (head + 1) * sizes.head_width)
    turn = distance * rotary_frequencies(sizes)
    query, key = (weights[matrix_name(layer, part)] for part in ("q_proj", "k_proj"))
    for matrix in (query, key):
        matrix[:, columns] *= 0.3  # the remaining attention by content
    query[0, columns] = np.concatenate([np.ones_like(turn), np.zeros_like(turn)])
    key[0, columns] = np.concatenate([np.cos(turn), np.sin(turn)])


def _uniform(name: str, shape: tuple[int, int], *, deviation: float) -> npt.NDArray[np.float64]:
    bound = deviation * 3**0.5
    return random_state(0, name).uniform(-bound, bound, shape)
