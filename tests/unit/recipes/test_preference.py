"""The DPO loss and its gradient, against torch's autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tinker import types
from tinker.recipes import dpo

BETA = 0.3


def batch(rng: np.random.Generator, pairs: int) -> tuple[list[types.Datum], list[Any], Any]:
    data, logprobs = [], []
    for length in rng.integers(2, 9, 2 * pairs):
        mask = np.zeros(length, dtype=np.float32)
        mask[rng.integers(0, length) :] = 1.0
        data.append(
            types.Datum(
                model_input=types.ModelInput.from_ints([0] * length),
                loss_fn_inputs={"target_tokens": np.zeros(length, dtype=np.int64), "weights": mask},
            )
        )
        logprobs.append(-rng.random(length).astype(np.float32) * 3)
    return data, logprobs, -rng.random((pairs, 2)) * 8


def test_with_the_reference_as_the_model_it_is_log_2() -> None:
    data, logprobs, _ = batch(np.random.default_rng(0), 3)
    scores = [
        float((lp.astype(np.float64) * d.loss_fn_inputs["weights"].to_numpy()).sum())
        for lp, d in zip(logprobs, data, strict=True)
    ]
    value, metrics, gradients = dpo(np.array(scores).reshape(-1, 2), BETA).function(data, logprobs)
    assert value == pytest.approx(math.log(2))
    assert metrics["dpo/margin"] == 0.0
    # At a margin of 0 the slope of -log sigmoid(beta m) is -beta / 2, over 3 pairs.
    for n, (gradient, datum) in enumerate(zip(gradients, data, strict=True)):
        slope = -BETA / 6 if n % 2 == 0 else BETA / 6
        mask = datum.loss_fn_inputs["weights"].to_numpy()
        np.testing.assert_allclose(gradient, slope * mask, rtol=1e-6)


@pytest.mark.torch
def test_loss_and_gradient_are_torchs() -> None:
    torch = pytest.importorskip("torch")
    data, logprobs, reference = batch(np.random.default_rng(1), 5)
    value, metrics, gradients = dpo(reference, BETA).function(data, logprobs)
    leaves = [torch.tensor(lp, dtype=torch.float64, requires_grad=True) for lp in logprobs]
    masks = [torch.tensor(d.loss_fn_inputs["weights"].to_numpy()) for d in data]
    scores = torch.stack(
        [(lp * mask).sum() for lp, mask in zip(leaves, masks, strict=True)]
    ).reshape(-1, 2)
    gains = scores - torch.tensor(reference)
    margins = BETA * (gains[:, 0] - gains[:, 1])
    loss = -torch.nn.functional.logsigmoid(margins).mean()
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-12)
    for leaf, gradient in zip(leaves, gradients, strict=True):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-6, atol=1e-9)
    assert metrics["dpo/accuracy"] == (margins > 0).double().mean().item()
