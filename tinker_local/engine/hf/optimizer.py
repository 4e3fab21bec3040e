"""The optimizer step, which is torch's AdamW."""

from __future__ import annotations

import torch
from attrs import evolve
from torch import Tensor
from torch.optim.adamw import adamw

from tinker_local.engine.base import AdamSpec, EngineError
from tinker_local.engine.hf.lora import HfAdapter


@torch.no_grad()
def step(adapter: HfAdapter, params: AdamSpec) -> tuple[dict[str, float], HfAdapter]:
    """Apply the gradients to copies of the weights and moments.

    Raises EngineError if a setting is out of range or the new weights are not finite.
    """
    params.check()
    names = list(adapter.weights)
    weights = [adapter.weights[name].clone() for name in names]
    grads = [
        adapter.grads[name].clone() if name in adapter.grads else torch.zeros_like(weight)
        for name, weight in zip(names, weights, strict=True)
    ]
    norm = torch.nn.utils.get_total_norm(grads)
    if params.grad_clip_norm > 0:
        torch._foreach_mul_(grads, min(1.0, params.grad_clip_norm / (float(norm) + 1e-6)))

    def moments(kind: str) -> list[Tensor]:
        return [
            adapter.moments[key].clone()
            if (key := f"{name}.{kind}") in adapter.moments
            else torch.zeros_like(weight)
            for name, weight in zip(names, weights, strict=True)
        ]

    means, squares = moments("exp_avg"), moments("exp_avg_sq")
    try:
        adamw(
            weights,
            grads,
            means,
            squares,
            max_exp_avg_sqs=[],
            state_steps=[torch.tensor(float(adapter.step)) for _ in names],
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
    if not all(bool(weight.isfinite().all()) for weight in weights):
        raise EngineError("the step would make the adapter's weights infinite; nothing was changed")
    new_moments = {f"{name}.exp_avg": one for name, one in zip(names, means, strict=True)}
    new_moments |= {f"{name}.exp_avg_sq": one for name, one in zip(names, squares, strict=True)}
    stepped = evolve(
        adapter,
        weights=dict(zip(names, weights, strict=True)),
        moments=new_moments,
        grads={},
        step=adapter.step + 1,
    )
    return {"unclipped_grad_l2:mean": float(norm)}, stepped
