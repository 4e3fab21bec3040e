"""What the tiny engine promises: right gradients and losses, training that learns, sampling that
can be repeated and agrees with training, the same bits in every process. No server is involved.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from attrs import evolve

from tinker_local.engine.base import AdapterState, Example, LoraSpec
from tinker_local.engine.tiny.engine import MODEL, TinyEngine

MakeExample = Callable[..., Example]
Shake = Callable[..., AdapterState]


@pytest.fixture(scope="session")
def engine() -> TinyEngine:
    return TinyEngine()


@pytest.fixture(scope="session")
def exact() -> TinyEngine:
    """The same model in float64."""
    return TinyEngine(dtype=np.float64)


@pytest.fixture
def make_example() -> MakeExample:
    """`make(length, k=None, **inputs)`: random tokens and targets, and the inputs as arrays."""
    random = np.random.RandomState(0)

    def make(length: int, k: int | None = None, **inputs: object) -> Example:
        shape = (length,) if k is None else (length, k)
        return Example(
            tokens=random.randint(0, 256, length),
            inputs={
                "target_tokens": random.randint(0, 257, shape),
                **{name: np.asarray(value) for name, value in inputs.items()},
            },
        )

    return make


@pytest.fixture
def shaken() -> Shake:
    """`shaken(engine, rank=3)`: an adapter that changes the model, as if it had been trained."""

    def make(engine: TinyEngine, rank: int = 3, scale: float = 0.02, **spec: bool) -> AdapterState:
        adapter = engine.new_adapter(MODEL, LoraSpec(rank=rank, **spec))
        random = np.random.RandomState(1)
        weights = {
            name: (w + random.normal(0, scale, w.shape)).astype(w.dtype)
            for name, w in adapter.weights.items()
        }
        return evolve(adapter, weights=weights)

    return make
