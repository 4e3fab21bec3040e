"""Terms added to losses: their gradients against torch.autograd, and what is reported of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinker
from tinker import regularizers
from tinker.custom_loss import NumpyLoss, evaluate

torch = pytest.importorskip("torch")

LOGPROBS = [
    np.array(values, np.float32)
    for values in ([-0.5, -1.5, -2.5], [-0.1, -3.0, -1.0], [-2.0, -0.7, -0.3])
]
REFERENCE = [x * 1.3 - 0.1 for x in LOGPROBS]

TERMS: dict[str, tuple[regularizers.Term, Any]] = {
    "l1": (regularizers.l1, lambda x: sum(v.abs().sum() for v in x)),
    "l2": (regularizers.l2, lambda x: sum((v**2).sum() for v in x)),
    "entropy": (regularizers.entropy, lambda x: sum((v.exp() * v).sum() for v in x)),
    "kl": (
        regularizers.kl_to(REFERENCE),
        lambda x: sum(
            (v.exp() * (v - torch.tensor(r))).sum() for v, r in zip(x, REFERENCE, strict=True)
        ),
    ),
    "consistency": (
        regularizers.consistency([(0, 1), (1, 2)]),
        lambda x: ((x[0] - x[1]) ** 2).sum() + ((x[1] - x[2]) ** 2).sum(),
    ),
    "orthogonality": (
        regularizers.orthogonality([(0, 2)]),
        lambda x: (x[0] * x[2]).sum() ** 2,
    ),
}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_those_of_autograd(name: str) -> None:
    term, in_torch = TERMS[name]
    value, gradients = term([], LOGPROBS)
    leaves = [torch.tensor(x, requires_grad=True) for x in LOGPROBS]
    expected = in_torch(leaves)
    assert value == pytest.approx(float(expected), rel=1e-5)
    found = torch.autograd.grad(expected, leaves, allow_unused=True)
    for mine, theirs, x in zip(gradients, found, LOGPROBS, strict=True):
        np.testing.assert_allclose(mine, np.zeros_like(x) if theirs is None else theirs, rtol=1e-5)


def base(data: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
    return -sum(x.sum() for x in logprobs), {"own": 1.0}


def test_the_total_is_the_base_and_its_weighted_terms() -> None:
    loss = regularizers.regularized(
        base,
        regularizers.Regularizer("small", 0.1, regularizers.l2),
        regularizers.Regularizer("sure", 0.5, regularizers.entropy),
    )
    value, metrics, gradients = evaluate(loss, [], LOGPROBS)
    leaves = [torch.tensor(x, requires_grad=True) for x in LOGPROBS]
    expected = base([], leaves)[0]
    expected = expected + 0.1 * TERMS["l2"][1](leaves) + 0.5 * TERMS["entropy"][1](leaves)
    assert value == pytest.approx(float(expected), rel=1e-5)
    for mine, theirs in zip(gradients, torch.autograd.grad(expected, leaves), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert metrics["own"] == 1.0
    assert metrics["regularizer/small/weighted:sum"] == pytest.approx(
        0.1 * metrics["regularizer/small:sum"]
    )
    shares = sum(value for name, value in metrics.items() if name.endswith("/weighted:sum"))
    assert value == pytest.approx(metrics["base_loss:sum"] + shares)
    assert metrics["base_grad_l2:sum"] == pytest.approx(3.0)


def test_it_trains(server: str) -> None:
    with tinker.ServiceClient(base_url=server) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=2, seed=1).result()
        data = [tinker.Datum(model_input=tinker.ModelInput.from_ints([5, 6, 7, 8]))]
        loss = regularizers.regularized(base, regularizers.Regularizer("l2", 0.01, regularizers.l2))
        result = training.forward_backward_custom(data, loss).result()
        assert result.metrics["regularizer/l2:sum"] > 0
        norm = training.optim_step(tinker.AdamParams()).result().metrics
        assert norm is not None
        assert norm["unclipped_grad_l2:mean"] > 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: regularizers.Regularizer("a", -1.0, regularizers.l1), "must be 0 or more"),
        (
            lambda: regularizers.regularized(
                base, *[regularizers.Regularizer("a", 1.0, regularizers.l1)] * 2
            ),
            "a name of its own",
        ),
        (
            lambda: evaluate(
                regularizers.regularized(
                    NumpyLoss(lambda d, x: (0.0, {}, [v * 0 for v in x])),
                    regularizers.Regularizer("bad", 1.0, regularizers.kl_to([])),
                ),
                [],
                LOGPROBS,
            ),
            "The term 'bad'",
        ),
    ],
)
def test_terms_that_cannot_be(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
