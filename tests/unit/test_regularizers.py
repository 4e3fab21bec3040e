"""Terms added to losses, without torch: their gradients by differences, and what is reported of them."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

from tinker import regularizers
from tinker.custom_loss import LossHandle, NumpyLoss, evaluate
from tinker.regularizers import Regularizer, regularized

LOGPROBS: list[Any] = [
    np.array(values, np.float64)
    for values in ([-0.5, -1.5, -2.5], [-0.1, -3.0, -1.0], [-2.0, -0.7, -0.3])
]
REFERENCE = [x * 1.3 - 0.1 for x in LOGPROBS]


@NumpyLoss
def wavy(data: Any, logprobs: Any) -> Any:
    """A loss whose second derivatives are neither constant nor diagonal."""
    x = np.concatenate(logprobs)
    value = np.sin(x).sum() + (x * np.roll(x, 1)).sum() ** 2 / 50
    around = (x * np.roll(x, 1)).sum() / 25 * (np.roll(x, 1) + np.roll(x, -1))
    edges = np.cumsum([len(one) for one in logprobs])[:-1]
    return float(value), {"waves": 2.0}, np.split(np.cos(x) + around, edges)


WRONG: Any = 3.0
TERMS = {
    "l1": regularizers.l1,
    "l2": regularizers.l2,
    "entropy": regularizers.entropy,
    "kl": regularizers.kl_to(REFERENCE),
    "consistency": regularizers.consistency([(0, 1), (1, 2)]),
    "orthogonality": regularizers.orthogonality([(0, 2)]),
    "gradient penalty": regularizers.gradient_penalty(wavy),
    "gradient penalty with a target": regularizers.gradient_penalty(wavy, target=7.0),
    "a loss with terms": regularized(wavy, Regularizer("l2", 0.3, regularizers.l2)),
}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_those_of_the_value(name: str) -> None:
    term = TERMS[name]
    _, _, gradients = evaluate(term, [], LOGPROBS)
    for index, array in enumerate(LOGPROBS):
        for position in range(len(array)):
            values = []
            for change in (1e-5, -1e-5):
                moved = [x.copy() for x in LOGPROBS]
                moved[index][position] += change
                values.append(evaluate(term, [], moved)[0])
            difference = (values[0] - values[1]) / 2e-5
            assert gradients[index][position] == pytest.approx(difference, rel=1e-4, abs=1e-5)


def test_the_gradient_penalty_of_a_quadratic_is_exact() -> None:
    scale = 3.0

    def quadratic(data: Any, logprobs: Any) -> Any:
        return scale / 2 * sum((x**2).sum() for x in logprobs), {}, [scale * x for x in logprobs]

    penalty = regularizers.gradient_penalty(NumpyLoss(quadratic), target=2.0)
    small = [x.astype(np.float32) for x in LOGPROBS]
    value, metrics, gradients = evaluate(penalty, [], small)
    norm = scale * math.sqrt(sum(float((x**2).sum()) for x in LOGPROBS))
    assert metrics["grad_l2"] == pytest.approx(norm)
    assert value == pytest.approx((norm - 2.0) ** 2)
    for gradient, x in zip(gradients, LOGPROBS, strict=True):
        assert gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, 2 * (norm - 2.0) * scale**2 * x / norm, rtol=1e-5)


def test_a_gradient_of_zero_costs_the_target_and_moves_nothing() -> None:
    flat = NumpyLoss(lambda data, logprobs: (0.0, {}, [0 * x for x in logprobs]))
    value, metrics, gradients = evaluate(
        regularizers.gradient_penalty(flat, target=0.5), [], LOGPROBS
    )
    assert (value, metrics) == (0.25, {"grad_l2": 0.0})
    assert not any(gradient.any() for gradient in gradients)


def test_it_holds_a_gradient_down_in_long_batches_too() -> None:
    """Each log-probability is moved far enough to see a difference, however many there are."""
    logprobs = [np.linspace(-8, -0.1, 200_000).astype(np.float32)]
    cubic = NumpyLoss(
        lambda d, xs: (sum(float((x**3).sum()) for x in xs), {}, [3 * x**2 for x in xs])
    )
    _, metrics, (gradient,) = evaluate(regularizers.gradient_penalty(cubic), [], logprobs)
    x = logprobs[0].astype(np.float64)
    norm = np.linalg.norm(3 * x**2)
    assert metrics["grad_l2"] == pytest.approx(norm)
    np.testing.assert_allclose(gradient, 2 * 6 * x * 3 * x**2, rtol=1e-3)


# ---- the whole ------------------------------------------------------------------------------


@NumpyLoss
def base(data: Any, logprobs: Any) -> Any:
    return (
        -sum(float(x.sum()) for x in logprobs),
        {"own": 1.0},
        [-np.ones_like(x) for x in logprobs],
    )


def test_the_total_is_the_base_and_its_weighted_terms() -> None:
    terms = [
        Regularizer("small", 0.1, regularizers.l2),
        Regularizer("sure", 0.5, regularizers.entropy),
        Regularizer("flat", 0.0, regularizers.gradient_penalty(wavy)),
    ]
    value, metrics, gradients = evaluate(regularized(base, *terms), [], LOGPROBS)
    parts = [evaluate(base, [], LOGPROBS), *(evaluate(one.term, [], LOGPROBS) for one in terms)]
    weights = [1.0, *(one.weight for one in terms)]
    assert value == pytest.approx(sum(w * part[0] for w, part in zip(weights, parts, strict=True)))
    for index, gradient in enumerate(gradients):
        total = sum(w * part[2][index] for w, part in zip(weights, parts, strict=True))
        np.testing.assert_allclose(gradient, total, rtol=1e-6)
    assert metrics["own"] == 1.0
    assert metrics["base_loss:sum"] == parts[0][0]
    assert metrics["base_grad_l2:sum"] == pytest.approx(3.0)
    for one, part in zip(terms, parts[1:], strict=True):
        label = f"regularizer/{one.name}"
        assert metrics[f"{label}:sum"] == part[0]
        assert metrics[f"{label}/weighted:sum"] == one.weight * part[0]
        assert metrics[f"{label}/share"] == pytest.approx(one.weight * part[0] / value)
        norm = math.sqrt(sum(float((one.weight * g) ** 2 @ np.ones(3)) for g in part[2]))
        assert metrics[f"{label}/grad_l2:sum"] == pytest.approx(norm)
    assert metrics["regularizer/flat/grad_l2"] == parts[-1][1]["grad_l2"]


def test_a_term_for_each_datum() -> None:
    """A sum over datums, of which one can see the data."""

    def long_ones(data: Any, logprobs: Any) -> Any:
        costs = [
            float(weight) * float((x**2).sum()) for weight, x in zip(data, logprobs, strict=True)
        ]
        metrics = {f"datum_{index}": cost for index, cost in enumerate(costs)}
        gradients = [2 * weight * x for weight, x in zip(data, logprobs, strict=True)]
        return sum(costs), metrics, gradients

    term = Regularizer("each", 2.0, NumpyLoss(long_ones))
    data: Any = [0.0, 1.0, 0.5]
    _, metrics, gradients = evaluate(regularized(base, term), data, LOGPROBS)
    assert metrics["regularizer/each/datum_0"] == 0.0
    assert metrics["regularizer/each/datum_1"] == pytest.approx(float((LOGPROBS[1] ** 2).sum()))
    np.testing.assert_allclose(gradients[2], -1 + 2.0 * LOGPROBS[2])


def test_side_by_side_is_the_same() -> None:
    """The terms meet at a barrier, which only threads of their own pass."""
    barrier = threading.Barrier(3, timeout=30)

    def meeting(of: NumpyLoss) -> NumpyLoss:
        def function(data: Any, logprobs: Any) -> Any:
            barrier.wait()
            return of.function(data, logprobs)

        return NumpyLoss(function)

    names = {"small": regularizers.l2, "sure": regularizers.entropy}
    met = [Regularizer(name, 0.5, meeting(term)) for name, term in names.items()]
    alone = [Regularizer(name, 0.5, term) for name, term in names.items()]
    one = evaluate(regularized(meeting(base), *met, parallel=True), [], LOGPROBS)
    other = evaluate(regularized(base, *alone), [], LOGPROBS)
    assert one[:2] == other[:2]
    np.testing.assert_array_equal(one[2], other[2])


def test_nothing_has_no_share() -> None:
    nothing = NumpyLoss(lambda data, logprobs: (0.0, {}, [0 * x for x in logprobs]))
    term = Regularizer("a", 1.0, nothing)
    _, metrics, _ = evaluate(regularized(nothing, term), [], LOGPROBS)
    assert math.isnan(metrics["regularizer/a/share"])


HANDLE: Any = LossHandle(name="x", inputs=(), session_id="s", graph=None)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Regularizer("a", -1.0, regularizers.l1), ValueError, "must be 0 or more"),
        (lambda: Regularizer("a", math.nan, regularizers.l1), ValueError, "is nan; it must be 0"),
        (lambda: Regularizer("", 1.0, regularizers.l1), ValueError, "needs a name"),
        (lambda: Regularizer("a", 1.0, WRONG), TypeError, "'a' is a float; it must be a function"),
        (
            lambda: regularized(base, *[Regularizer("a", 1.0, regularizers.l1)] * 2),
            ValueError,
            "a name of its own",
        ),
        (
            lambda: evaluate(
                regularized(base, Regularizer("bad", 1.0, regularizers.kl_to([]))), [], LOGPROBS
            ),
            ValueError,
            "The term 'bad': the shapes of the reference",
        ),
        (
            lambda: evaluate(
                regularized(base, Regularizer("bad", 1.0, NumpyLoss(lambda d, x: WRONG))),
                [],
                LOGPROBS,
            ),
            TypeError,
            r"The term 'bad': A NumpyLoss returns \(loss, metrics, gradients\)",
        ),
        (lambda: regularizers.gradient_penalty(base, -1.0), ValueError, "target is -1.0"),
        (
            lambda: evaluate(regularized(HANDLE), [], LOGPROBS),
            TypeError,
            "this one is of type LossHandle",
        ),
    ],
)
def test_terms_that_cannot_be(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
