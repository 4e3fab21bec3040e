"""Low-rank adapters: which matrices they change, how they begin, how they are merged."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tinker_local.engine.base import LoraSpec
from tinker_local.engine.seeds import random_state
from tinker_local.engine.tiny.base_model import (
    ATTENTION,
    MLP,
    UNEMBED,
    Matrices,
    Matrix,
    Sizes,
    matrix_shapes,
)

ALPHA = 64.0
"""A merged matrix is `W + ALPHA / rank * (B @ A).T`."""


def initial_factors(sizes: Sizes, spec: LoraSpec) -> dict[str, npt.NDArray[np.float64]]:
    """`<matrix>.lora_A` [rank, inputs], random by `spec.seed` (None is 0), and `<matrix>.lora_B`
    [outputs, rank], zeros, so that a fresh adapter changes nothing.

    Raises EngineError for a rank outside 1..4096 or if no part of the model is to be trained.
    """
    trained = {
        **dict.fromkeys(ATTENTION, spec.train_attn),
        **dict.fromkeys(MLP, spec.train_mlp),
        UNEMBED: spec.train_unembed,
    }
    shapes = matrix_shapes(sizes)
    spec.check(adapts=any(trained[name.rpartition(".")[2]] for name in shapes))
    factors: dict[str, npt.NDArray[np.float64]] = {}
    for name, (inputs, outputs) in shapes.items():
        if trained[name.rpartition(".")[2]]:
            bound = (3 / inputs) ** 0.5  # so that A's outputs have the variance of its inputs
            draw = random_state(spec.seed or 0, f"{name}.lora_A")
            factors[f"{name}.lora_A"] = draw.uniform(-bound, bound, (spec.rank, inputs))
            factors[f"{name}.lora_B"] = np.zeros((outputs, spec.rank))
    return factors


def adapted(factors: Matrices) -> list[str]:
    """The names of the matrices that the factors change."""
    return [name.removesuffix(".lora_A") for name in factors if name.endswith(".lora_A")]


def merge(base: Matrix, a: Any, b: Any) -> Any:
    """The matrix with its adapter added in; autograd can trace through it."""
    scale = np.asarray(ALPHA / a.shape[0], dtype=base.dtype)
    return base + scale * (b @ a).T


def merged(base: Matrices, factors: Matrices) -> dict[str, Matrix]:
    """All matrices of the model, the adapted ones merged, in the precision of `base`."""
    weights = dict(base)
    for name in adapted(factors):
        a, b = (factors[f"{name}.{part}"] for part in ("lora_A", "lora_B"))
        weights[name] = merge(base[name], a.astype(base[name].dtype), b.astype(base[name].dtype))
    return weights
