"""Terms that are added to a loss: total = base + Σ weight · term.

Each is a function of the log-probabilities of a batch that brings its own gradients, in numpy. `regularized` makes of them,
and of a loss of any kind, one loss for `forward_backward_custom`; its metrics report each term:

    regularizer/<name>:sum             the term
    regularizer/<name>/weighted:sum    its share of the loss
    regularizer/<name>/grad_l2:sum     the norm of its weighted gradient
    base_loss:sum, base_grad_l2:sum    the same of the loss itself
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from attrs import frozen

from tinker import types
from tinker.custom_loss import Array, CustomLossFnV1, NumpyLoss, evaluate

Term: TypeAlias = Callable[[list[types.Datum], list[Array]], tuple[float, Sequence[Array]]]
"""Takes the data and the log-probabilities of each datum's targets; returns a value and its gradient by those."""


@frozen
class Regularizer:
    """A term with a name and a weight of at least 0."""

    name: str
    weight: float
    term: Term

    def __attrs_post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"The weight of {self.name!r} is {self.weight}; it must be 0 or more.")


def regularized(base: CustomLossFnV1 | NumpyLoss, *terms: Regularizer) -> NumpyLoss:
    """A loss with terms added to it.

    Raises:
        ValueError: Two terms have the same name.
    """
    names = [one.name for one in terms]
    if len(set(names)) != len(names):
        raise ValueError(f"The terms are named {names}; each needs a name of its own.")

    def total(
        data: list[types.Datum], logprobs: list[Array]
    ) -> tuple[float, Mapping[str, float], Sequence[Array]]:
        value, metrics, gradients = evaluate(base, data, logprobs)
        metrics = {**metrics, "base_loss:sum": value, "base_grad_l2:sum": _norm(gradients)}
        for one in terms:
            weight, term = one.weight, one.term
            added, own = _evaluate(one.name, term, data, logprobs)
            weighted = [weight * gradient for gradient in own]
            value += weight * added
            gradients = [a + b for a, b in zip(gradients, weighted, strict=True)]
            metrics[f"regularizer/{one.name}:sum"] = added
            metrics[f"regularizer/{one.name}/weighted:sum"] = weight * added
            metrics[f"regularizer/{one.name}/grad_l2:sum"] = _norm(weighted)
        return value, metrics, gradients

    return NumpyLoss(total)


def _evaluate(
    name: str, term: Term, data: list[types.Datum], logprobs: list[Array]
) -> tuple[float, list[Array]]:
    def with_metrics(
        data: list[types.Datum], logprobs: list[Array]
    ) -> tuple[float, Mapping[str, float], Sequence[Array]]:
        value, gradients = term(data, logprobs)
        return value, {}, gradients

    try:
        value, _, gradients = evaluate(NumpyLoss(with_metrics), data, logprobs)
    except (TypeError, ValueError) as error:
        raise type(error)(f"The term {name!r}: {error}") from None
    return value, gradients


def _norm(gradients: Sequence[Array]) -> float:
    return math.sqrt(sum(float((gradient.astype(np.float64) ** 2).sum()) for gradient in gradients))


# ---- ready-made -------------------------------------------------------------------------------


def l1(data: list[types.Datum], logprobs: list[Array]) -> tuple[float, Sequence[Array]]:
    """Σ |logprob|."""
    return sum(float(np.abs(x).sum()) for x in logprobs), [np.sign(x) for x in logprobs]


def l2(data: list[types.Datum], logprobs: list[Array]) -> tuple[float, Sequence[Array]]:
    """Σ logprob²."""
    return sum(float((x**2).sum()) for x in logprobs), [2 * x for x in logprobs]


def entropy(data: list[types.Datum], logprobs: list[Array]) -> tuple[float, Sequence[Array]]:
    """Σ p · log p of the targets: the less, the less certain the model is of them."""
    value = sum(float((np.exp(x) * x).sum()) for x in logprobs)
    return value, [np.exp(x) * (1 + x) for x in logprobs]


def kl_to(reference: Sequence[Array]) -> Term:
    """Σ p · (log p - reference), where `reference` has another model's logprobs of each datum's targets."""

    def term(data: list[types.Datum], logprobs: list[Array]) -> tuple[float, Sequence[Array]]:
        if [np.shape(x) for x in reference] != [x.shape for x in logprobs]:
            raise ValueError("the reference has other shapes than the logprobs.")
        pairs = list(zip(logprobs, reference, strict=True))
        value = sum(float((np.exp(x) * (x - r)).sum()) for x, r in pairs)
        return value, [np.exp(x) * (x - r + 1) for x, r in pairs]

    return term


def consistency(pairs: Sequence[tuple[int, int]]) -> Term:
    """Σ (a - b)² over pairs of datums with targets of one length, such as two wordings of one question."""

    def term(data: list[types.Datum], logprobs: list[Array]) -> tuple[float, Sequence[Array]]:
        value, gradients = 0.0, [np.zeros_like(x) for x in logprobs]
        for first, second in pairs:
            difference = logprobs[first] - logprobs[second]
            value += float((difference**2).sum())
            gradients[first] += 2 * difference
            gradients[second] -= 2 * difference
        return value, gradients

    return term


def orthogonality(pairs: Sequence[tuple[int, int]]) -> Term:
    """Σ (a · b)² over pairs of datums with targets of one length."""

    def term(data: list[types.Datum], logprobs: list[Array]) -> tuple[float, Sequence[Array]]:
        value, gradients = 0.0, [np.zeros_like(x) for x in logprobs]
        for first, second in pairs:
            product = float((logprobs[first] * logprobs[second]).sum())
            value += product**2
            gradients[first] += 2 * product * logprobs[second]
            gradients[second] += 2 * product * logprobs[first]
        return value, gradients

    return term
