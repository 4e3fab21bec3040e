"""Adapters in PEFT's format, and how they take part in a model's computation.

Each adapted matrix adds `alpha / rank * B @ A @ x` to what it computes. The factors are float32, whatever the model
is, and are cast to its precision where they are multiplied. They are not parameters of the model: the
adapter in use is set for the time of a computation, so that all adapters share one copy of the base weights and none
is copied into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from attrs import evolve, field, frozen
from torch import Tensor, nn

from tinker_local.engine.base import AdapterState, EngineError, LoraSpec
from tinker_local.engine.hf.model import ATTENTION, MLP, UNEMBED, BaseModel
from tinker_local.engine.seeds import random_state

ALPHA = 32.0
"""Alpha of new adapters. An uploaded adapter keeps its own."""
MAX_RANK = 4096

Factors = Mapping[str, Tensor]


@frozen(kw_only=True, eq=False)
class HfAdapter:
    """A handle: an `AdapterState` whose tensors are on the model's device."""

    base_model: str
    lora: LoraSpec
    alpha: float
    weights: Factors
    moments: Factors = field(factory=dict)
    grads: Factors = field(factory=dict)
    step: int = 0

    @property
    def scale(self) -> float:
        return self.alpha / self.lora.rank


def new(model: BaseModel, spec: LoraSpec) -> HfAdapter:
    """A fresh adapter, which changes nothing: A is uniform within 1 / sqrt(inputs) by `spec.seed` (None is 0),
    as PEFT draws it, B is zero.

    Raises EngineError for a rank outside 1..4096 or if no part of the model is to be trained.
    """
    if not 1 <= spec.rank <= MAX_RANK:
        raise EngineError(f"rank must be between 1 and {MAX_RANK}, not {spec.rank}")
    trained = {ATTENTION: spec.train_attn, MLP: spec.train_mlp, UNEMBED: spec.train_unembed}
    weights: dict[str, Tensor] = {}
    for name, matrix in model.matrices.items():
        if trained[model.parts[name]]:
            bound = matrix.in_features**-0.5
            draw = random_state(spec.seed or 0, f"{name}.lora_A")
            a = draw.uniform(-bound, bound, (spec.rank, matrix.in_features))
            weights[f"{name}.lora_A"] = torch.tensor(a, dtype=torch.float32, device=model.device)
            weights[f"{name}.lora_B"] = torch.zeros(
                matrix.out_features, spec.rank, device=model.device
            )
    if not weights:
        raise EngineError("the adapter trains nothing: set train_attn, train_mlp or train_unembed")
    return HfAdapter(base_model=model.spec.name, lora=spec, alpha=ALPHA, weights=weights)


def load(model: BaseModel, state: AdapterState) -> HfAdapter:
    """Raises EngineError if the adapter does not fit the model."""
    _check(model, state)

    def on_device(tensors: Mapping[str, Any]) -> Factors:
        return {
            name: torch.tensor(tensor, dtype=torch.float32, device=model.device)
            for name, tensor in tensors.items()
        }

    return HfAdapter(
        base_model=state.base_model,
        lora=state.lora,
        alpha=state.alpha,
        weights=on_device(state.weights),
        moments=on_device(state.moments),
        grads=on_device(state.grads),
        step=state.step,
    )


def _check(model: BaseModel, state: AdapterState) -> None:
    if not state.weights:
        raise EngineError("the adapter has no weights")
    for name, tensor in state.weights.items():
        matrix_name, _, factor = name.rpartition(".")
        matrix = model.matrices.get(matrix_name)
        if matrix is None or factor not in ("lora_A", "lora_B"):
            raise EngineError(f"the adapter has {name}, but {state.base_model} has no such matrix")
        expected = {
            "lora_A": (state.lora.rank, matrix.in_features),
            "lora_B": (matrix.out_features, state.lora.rank),
        }
        if tensor.shape != expected[factor]:
            raise EngineError(
                f"{name} has shape {list(tensor.shape)}; {state.base_model} takes {list(expected[factor])}"
            )
        other = f"{matrix_name}.{'lora_B' if factor == 'lora_A' else 'lora_A'}"
        if other not in state.weights:
            raise EngineError(f"the adapter has {name}, but not {other}")


def save(adapter: HfAdapter) -> AdapterState:
    def in_host_memory(tensors: Factors) -> dict[str, Any]:
        return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}

    return AdapterState(
        base_model=adapter.base_model,
        lora=adapter.lora,
        alpha=adapter.alpha,
        weights=in_host_memory(adapter.weights),
        moments=in_host_memory(adapter.moments),
        grads=in_host_memory(adapter.grads),
        step=adapter.step,
    )


def with_gradients(adapter: HfAdapter) -> HfAdapter:
    """The same adapter, with its weights as leaves of a computation."""
    weights = {name: weight.detach().requires_grad_() for name, weight in adapter.weights.items()}
    return evolve(adapter, weights=weights)


class Hooks:
    """Hooks that make the matrices of a model use the current adapter."""

    def __init__(self, model: BaseModel) -> None:
        self._adapter: HfAdapter | None = None
        for name, matrix in model.matrices.items():
            if name != model.head:  # the unembedding is computed in parts
                matrix.register_forward_hook(self._hook(name))

    @contextmanager
    def using(self, adapter: HfAdapter | None) -> Iterator[None]:
        self._adapter = adapter
        try:
            yield
        finally:
            self._adapter = None

    def _hook(self, name: str) -> Any:
        name_a, name_b = f"{name}.lora_A", f"{name}.lora_B"

        def add(matrix: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor | None:
            adapter = self._adapter
            if adapter is None or name_a not in adapter.weights:
                return None
            x = inputs[0]
            a, b = (adapter.weights[one].to(x.dtype) for one in (name_a, name_b))
            low = nn.functional.linear(x, a).flatten(0, -2)
            output.flatten(0, -2).addmm_(low, b.T, alpha=adapter.scale)
            return output

        return add
