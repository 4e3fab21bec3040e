"""Terms added to losses: their gradients against torch.autograd, in numpy, in torch, and trained with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinker
from tinker import regularizers
from tinker.custom_loss import NumpyLoss, evaluate
from tinker.regularizers import Regularizer, regularized

torch = pytest.importorskip("torch")

LOGPROBS = [
    np.array(values, np.float32)
    for values in ([-0.5, -1.5, -2.5], [-0.1, -3.0, -1.0], [-2.0, -0.7, -0.3])
]
REFERENCE = [x * 1.3 - 0.1 for x in LOGPROBS]


def curved(data: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
    """A loss that mixes datums, so that its second derivatives are a full matrix."""
    total = sum(x.sum() for x in logprobs)
    return total**2 / 10 + sum((x.exp() * x).sum() for x in logprobs), {}


def curved_numpy(data: Any, logprobs: Any) -> Any:
    total = sum(x.sum() for x in logprobs)
    value = total**2 / 10 + sum((np.exp(x) * x).sum() for x in logprobs)
    return float(value), {}, [total / 5 + np.exp(x) * (1 + x) for x in logprobs]


def penalty(logprobs: list[Any], target: float) -> Any:
    """What the gradient penalty is, in torch."""
    found = torch.autograd.grad(curved([], logprobs)[0], logprobs, create_graph=True)
    return (torch.cat(found).norm() - target) ** 2


TERMS: dict[str, tuple[regularizers.Loss, Any]] = {
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
    "gradient penalty in torch": (
        regularizers.gradient_penalty(curved, 0.7),
        lambda x: penalty(x, 0.7),
    ),
    "gradient penalty in numpy": (
        regularizers.gradient_penalty(NumpyLoss(curved_numpy), 0.7),
        lambda x: penalty(x, 0.7),
    ),
    "a term in torch": (lambda data, x: (x[1].prod(), {}), lambda x: x[1].prod()),
}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_those_of_autograd(name: str) -> None:
    term, in_torch = TERMS[name]
    value, _, gradients = evaluate(term, [], LOGPROBS)
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in LOGPROBS]
    expected = in_torch(leaves)
    assert value == pytest.approx(float(expected.detach()), rel=1e-5)
    found = torch.autograd.grad(expected, leaves, materialize_grads=True)
    for mine, theirs in zip(gradients, found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_the_gradient_penalty_of_a_loss_without_curvature(target: float) -> None:
    """A linear loss has the same gradient everywhere; one at its least has none."""
    linear = regularizers.gradient_penalty(lambda d, x: (sum(v.sum() for v in x), {}), target)
    value, metrics, gradients = evaluate(linear, [], LOGPROBS)
    assert metrics["grad_l2"] == pytest.approx(3.0)
    assert value == pytest.approx((3.0 - target) ** 2)
    assert not any(gradient.any() for gradient in gradients)
    at_its_least = regularizers.gradient_penalty(
        lambda d, x: (sum(((v - v.detach()) ** 2).sum() for v in x), {}), target
    )
    value, _, gradients = evaluate(at_its_least, [], LOGPROBS)
    assert value == target**2
    assert not any(gradient.any() for gradient in gradients)


def test_a_penalty_that_is_not_a_loss_says_so() -> None:
    wrong = Regularizer("flat", 1.0, regularizers.gradient_penalty(lambda d, x: x[0].sum()))
    with pytest.raises(
        TypeError, match=r"The term 'flat': A loss function returns \(loss, metrics\)"
    ):
        evaluate(regularized(curved, wrong), [], LOGPROBS)


def base(data: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
    return -sum(x.sum() for x in logprobs), {"own": 1.0}


@pytest.mark.parametrize("parallel", [False, True])
def test_the_total_is_the_base_and_its_weighted_terms(parallel: bool) -> None:
    loss = regularized(
        base,
        Regularizer("small", 0.1, regularizers.l2),
        Regularizer("flat", 0.5, regularizers.gradient_penalty(curved)),
        parallel=parallel,
    )
    value, metrics, gradients = evaluate(loss, [], LOGPROBS)
    leaves = [torch.tensor(x, requires_grad=True) for x in LOGPROBS]
    expected = base([], leaves)[0]
    expected = expected + 0.1 * TERMS["l2"][1](leaves) + 0.5 * penalty(leaves, 0.0)
    assert value == pytest.approx(float(expected.detach()), rel=1e-5)
    for mine, theirs in zip(gradients, torch.autograd.grad(expected, leaves), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert metrics["own"] == 1.0
    parts = sum(value for name, value in metrics.items() if name.endswith("/weighted:sum"))
    assert value == pytest.approx(metrics["base_loss:sum"] + parts)


def test_terms_train_as_the_sum_written_in_torch(server: str) -> None:
    """The same two steps, with terms and with their sum as one loss: the same weights come out."""

    def summed(data: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        total = base(data, logprobs)[0] + 0.01 * TERMS["l2"][1](logprobs)
        return total + 0.02 * penalty(logprobs, 0.0), {}

    loss = regularized(
        base,
        Regularizer("l2", 0.01, regularizers.l2),
        Regularizer("flat", 0.02, regularizers.gradient_penalty(NumpyLoss(curved_numpy))),
    )
    data = [
        tinker.Datum(model_input=tinker.ModelInput.from_ints([5, 6, 7, 8 + n])) for n in range(3)
    ]
    trained = []
    with tinker.ServiceClient(base_url=server) as service:
        for function in (loss, summed):
            run = service.create_lora_training_client("tinker-local/tiny", rank=2, seed=1).result()
            for _ in range(2):
                result = run.forward_backward_custom(data, function).result()
                run.optim_step(tinker.AdamParams(learning_rate=0.01)).result()
            after = run.forward(data, "cross_entropy").result()
            numbers = [one["logprobs"].to_numpy() for one in after.loss_fn_outputs]
            trained.append((result.metrics["loss:sum"], numbers))
    assert trained[0][0] == pytest.approx(trained[1][0], rel=1e-4)
    np.testing.assert_allclose(trained[0][1], trained[1][1], rtol=1e-3)
