"""The optimizer step, which is torch's AdamW."""

from __future__ import annotations

import torch
from attrs import evolve
from torch import Tensor
from torch.optim.adamw import adamw

from tinker_local.engine.base import AdamSpec, EngineError
from tinker_local.engine.hf.lora import Factors, HfAdapter

MEAN, SQUARE = ".exp_avg", ".exp_avg_sq"


@torch.no_grad()
def step(adapter: HfAdapter, params: AdamSpec) -> tuple[dict[str, float], HfAdapter]:
    """Apply the gradients to copies of the weights and moments.

    Raises EngineError if a setting is out of range or the new weights are not finite.
    """
    params.check()

    def joined(tensors: Factors, suffix: str = "") -> Tensor:
        """A copy as one tensor, zero where there is none: hundreds of small tensors keep a GPU waiting."""
        found = (
            tensors[key] if (key := f"{name}{suffix}") in tensors else torch.zeros_like(weight)
            for name, weight in adapter.weights.items()
        )
        return torch.cat([one.flatten() for one in found])

    weights, gradient = joined(adapter.weights), joined(adapter.grads)
    means, squares = joined(adapter.moments, MEAN), joined(adapter.moments, SQUARE)
    norm = float(torch.linalg.vector_norm(gradient))
    if params.grad_clip_norm > 0:
        gradient.mul_(min(1.0, params.grad_clip_norm / (norm + 1e-6)))
    try:
        adamw(
            [weights],
            [gradient],
            [means],
            [squares],
            max_exp_avg_sqs=[],
            state_steps=[torch.tensor(float(adapter.step))],
            foreach=True,
            amsgrad=False,
            beta1=params.beta1,
            beta2=params.beta2,
            lr=params.learning_rate,
            weight_decay=params.weight_decay,
            eps=params.eps,
            maximize=False,
        )
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        raise EngineError("the step is too large for float32; nothing was changed") from None
    if not weights.isfinite().all():
        raise EngineError("the step would make the adapter's weights infinite; nothing was changed")

    def apart(joint: Tensor, suffix: str = "") -> dict[str, Tensor]:
        parts = joint.split([weight.numel() for weight in adapter.weights.values()])
        return {
            f"{name}{suffix}": part.view_as(weight)
            for (name, weight), part in zip(adapter.weights.items(), parts, strict=True)
        }

    stepped = evolve(
        adapter,
        weights=apart(weights),
        moments=apart(means, MEAN) | apart(squares, SQUARE),
        grads={},
        step=adapter.step + 1,
    )
    return {"unclipped_grad_l2:mean": norm}, stepped
