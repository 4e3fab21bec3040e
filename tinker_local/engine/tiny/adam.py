"""Adam with bias correction and decoupled weight decay, as `torch.optim.AdamW` defines it."""

from __future__ import annotations

import math

import numpy as np

from tinker_local.engine.base import AdamSpec, Tensors


def global_norm(grads: Tensors) -> float:
    """The L2 norm of all gradients taken together."""
    return math.sqrt(
        math.fsum(float(np.sum(np.square(g, dtype=np.float64))) for g in grads.values())
    )


def update(
    weights: Tensors, moments: Tensors, grads: Tensors, params: AdamSpec, *, step: int, norm: float
) -> tuple[Tensors, Tensors]:
    """The new weights and moments of step number `step` (from 1).

    A weight without a gradient gets a gradient of zero. `moments` holds `<weight>.exp_avg` and
    `<weight>.exp_avg_sq`; it is empty before the first step. `norm` is the global norm of `grads`.
    """
    clip = 1.0
    if params.grad_clip_norm > 0:
        clip = min(1.0, params.grad_clip_norm / (norm + 1e-6))  # the 1e-6 is torch's, too
    correction1 = 1 - params.beta1**step
    correction2 = 1 - params.beta2**step
    new_weights: Tensors = {}
    new_moments: Tensors = {}
    for name, weight in weights.items():
        zero = np.zeros_like(weight)
        grad = grads.get(name, zero) * weight.dtype.type(clip)
        mean = moments.get(f"{name}.exp_avg", zero)
        square = moments.get(f"{name}.exp_avg_sq", zero)
        mean = params.beta1 * mean + (1 - params.beta1) * grad
        square = params.beta2 * square + (1 - params.beta2) * grad * grad
        change = mean / (np.sqrt(square / correction2) + params.eps)
        decayed = (1 - params.learning_rate * params.weight_decay) * weight
        new_weights[name] = decayed - params.learning_rate / correction1 * change
        new_moments[f"{name}.exp_avg"] = mean
        new_moments[f"{name}.exp_avg_sq"] = square
    return new_weights, new_moments
