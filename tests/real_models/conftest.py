"""Models of Hugging Face's form on the CPU. Everything here needs the extra `hf`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.small_models import KINDS, make_folder
from tinker_local.engine.base import AdapterState, Example, LoraSpec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
for package in ("torch", "transformers"):
    pytest.importorskip(
        package, reason="tests/real_models needs torch and transformers: pip install 'tinker[hf]'"
    )


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {kind: make_folder(root / kind, kind) for kind in KINDS}


@pytest.fixture(scope="session")
def engine(folders: dict[str, Path]) -> Any:
    from tinker_local.engine.hf.engine import HfEngine

    return HfEngine([(None, folder) for folder in folders.values()], device="cpu")


@pytest.fixture(scope="session", params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def reference(folders: dict[str, Path], kind: str) -> Any:
    """transformers' own model."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folders[kind], dtype=torch.float32).eval()


@pytest.fixture
def random() -> np.random.RandomState:
    return np.random.RandomState(0)


@pytest.fixture
def shaken(engine: Any, random: np.random.RandomState) -> Callable[..., Any]:
    """`shaken(model, rank=3)`: an adapter that changes the model, as if it had been trained."""

    def make(model: str, rank: int = 3, **parts: bool) -> Any:
        state = engine.save(engine.new_adapter(model, LoraSpec(rank=rank, seed=1, **parts)))
        return engine.load(shake(state, random))

    return make


def shake(state: AdapterState, random: np.random.RandomState) -> AdapterState:
    from attrs import evolve

    weights = {
        name: (weight + random.normal(0, 0.05, weight.shape)).astype(np.float32)
        for name, weight in state.weights.items()
    }
    return evolve(state, weights=weights)


def example(random: np.random.RandomState, length: int, **inputs: Any) -> Example:
    tokens = random.randint(3, 380, length + 1)
    given = {name: np.asarray(value) for name, value in inputs.items()}
    return Example(tokens=tokens[:-1], inputs={"target_tokens": tokens[1:], **given})
