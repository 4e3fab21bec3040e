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
    trained = {ATTENTION: spec.train_attn, MLP: spec.train_mlp, UNEMBED: spec.train_unembed}
    spec.check(adapts=any(trained[model.parts[name]] for name in model.matrices))
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


def in_precision(adapter: HfAdapter, dtype: torch.dtype, *, gradients: bool = False) -> HfAdapter:
    """The same adapter to compute with: its weights in the model's precision; with `gradients`, leaves of a
    computation to come."""
    weights = {
        name: weight.detach().to(dtype).requires_grad_(gradients)
        for name, weight in adapter.weights.items()
    }
    return evolve(adapter, weights=weights)


class AdaptedMatrices:
    """Hooks that make the matrices of a model use the current adapter."""

    def __init__(self, model: BaseModel) -> None:
        self._adapter: HfAdapter | None = None
        for name, matrix in model.matrices.items():
            if name != model.head:  # the unembedding is computed in parts
                matrix.forward = self._forward(name, matrix)

    @contextmanager
    def using(self, adapter: HfAdapter | None) -> Iterator[None]:
        """Compute with an adapter that is `in_precision`."""
        self._adapter = adapter
        try:
            yield
        finally:
            self._adapter = None

    def _forward(self, name: str, matrix: nn.Linear) -> Any:
        name_a, name_b = f"{name}.lora_A", f"{name}.lora_B"

        def forward(x: Tensor) -> Tensor:
            adapter = self._adapter
            if adapter is None or name_a not in adapter.weights:
                return nn.functional.linear(x, matrix.weight, matrix.bias)
            a, b = adapter.weights[name_a], adapter.weights[name_b]
            rows = x.flatten(0, -2)
            if torch.is_grad_enabled():
                product = _Adapted.apply(rows, a, b, matrix.weight, matrix.bias, adapter.scale)
            else:
                product = nn.functional.linear(rows, matrix.weight, matrix.bias)
                product.addmm_(rows @ a.T, b.T, alpha=adapter.scale)
            return product.view(*x.shape[:-1], -1)

        return forward


class _Adapted(torch.autograd.Function):
    """`x @ W.T + bias + scale * x @ A.T @ B.T` as one operation of autograd.

    Autograd's own would be six, and a GPU waits for Python to start each of them."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, a: Tensor, b: Tensor, weight: Tensor, bias: Tensor | None, scale: float
    ) -> Tensor:
        low = x @ a.T
        ctx.save_for_backward(x, low, a, b, weight)
        ctx.scale = scale
        return nn.functional.linear(x, weight, bias).addmm_(low, b.T, alpha=scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, low, a, b, weight = ctx.saved_tensors
        by_low = (gradient @ b).mul_(ctx.scale)
        by_x = (gradient @ weight).addmm_(by_low, a) if ctx.needs_input_grad[0] else None
        return by_x, by_low.T @ x, (gradient.T @ low).mul_(ctx.scale), None, None, None
