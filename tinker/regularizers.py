"""Terms that are added to a loss: total = base + Σ weight · term.

A term is a loss like any other, of the data and of the log-probabilities of each datum's targets: a function in torch, or
a `NumpyLoss`. `regularized` makes of a loss and its terms one loss for `forward_backward_custom`, whose metrics report each:

    regularizer/<name>:sum             the term
    regularizer/<name>/weighted:sum    what it adds to the loss: weight · term
    regularizer/<name>/share           that, divided by the loss
    regularizer/<name>/grad_l2:sum     the norm of its weighted gradient
    regularizer/<name>/<metric>        what the term itself reports
    base_loss:sum, base_grad_l2:sum    value and norm of the loss that the terms are added to
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from tinker import types
from tinker.custom_loss import (
    Array,
    CustomLossFnV1,
    Evaluated,
    NumpyLoss,
    evaluate,
    run_in_torch,
)

Loss: TypeAlias = CustomLossFnV1 | NumpyLoss


@frozen
class Regularizer:
    """A term with a name and a weight of at least 0.

    Raises:
        ValueError: The weight is negative or not finite, or the name is empty.
        TypeError: The term is neither a function nor a NumpyLoss.
    """

    name: str
    weight: float
    term: Loss

    def __attrs_post_init__(self) -> None:
        if not self.name:
            raise ValueError("A term needs a name.")
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"The weight of {self.name!r} is {self.weight}; it must be 0 or more.")
        if not (isinstance(self.term, NumpyLoss) or callable(self.term)):
            raise TypeError(
                f"The term {self.name!r} is a {type(self.term).__name__}; it must be a function or a NumpyLoss."
            )

    def _evaluate(self, data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
        try:
            return evaluate(self.term, data, logprobs)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"The term {self.name!r}: {error}") from error


def regularized(base: Loss, *terms: Regularizer, parallel: bool = False) -> NumpyLoss:
    """A loss with terms added to it.

    Args:
        base: The loss.
        terms: What is added; each under a name of its own.
        parallel: Evaluate the loss and its terms side by side, each in a thread.

    Raises:
        ValueError: Two terms have the same name.
    """
    names = [one.name for one in terms]
    if len(set(names)) != len(names):
        raise ValueError(f"The terms are named {names}; each needs a name of its own.")

    def total(data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
        calls: list[Callable[[], Evaluated]] = [partial(evaluate, base, data, logprobs)]
        calls += [partial(one._evaluate, data, logprobs) for one in terms]
        if parallel:
            with ThreadPoolExecutor(len(calls), "tinker-regularizer") as threads:
                (value, metrics, gradients), *added = threads.map(operator.call, calls)
        else:
            (value, metrics, gradients), *added = [call() for call in calls]
        metrics = {**metrics, "base_loss:sum": value, "base_grad_l2:sum": _norm(gradients)}
        for one, (own, own_metrics, own_gradients) in zip(terms, added, strict=True):
            weighted = [one.weight * gradient for gradient in own_gradients]
            value += one.weight * own
            gradients = [a + b for a, b in zip(gradients, weighted, strict=True)]
            label = f"regularizer/{one.name}"
            metrics |= {f"{label}/{name}": number for name, number in own_metrics.items()}
            metrics[f"{label}:sum"] = own
            metrics[f"{label}/weighted:sum"] = one.weight * own
            metrics[f"{label}/grad_l2:sum"] = _norm(weighted)
        for one in terms:
            part = metrics[f"regularizer/{one.name}/weighted:sum"]
            metrics[f"regularizer/{one.name}/share"] = part / value if value else math.nan
        return value, metrics, gradients

    return NumpyLoss(total)


def _norm(gradients: Sequence[Array]) -> float:
    return math.sqrt(sum(float((gradient.astype(np.float64) ** 2).sum()) for gradient in gradients))


# ---- ready-made -------------------------------------------------------------------------------


@NumpyLoss
def l1(data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
    """Σ |logprob|."""
    return sum(float(np.abs(x).sum()) for x in logprobs), {}, [np.sign(x) for x in logprobs]


@NumpyLoss
def l2(data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
    """Σ logprob²."""
    return sum(float((x**2).sum()) for x in logprobs), {}, [2 * x for x in logprobs]


@NumpyLoss
def entropy(data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
    """Σ p · log p of the targets: the less, the less certain the model is of them."""
    value = sum(float((np.exp(x) * x).sum()) for x in logprobs)
    return value, {}, [np.exp(x) * (1 + x) for x in logprobs]


def kl_to(reference: Sequence[Array]) -> NumpyLoss:
    """Σ p · (log p - reference), where `reference` has another model's logprobs of each datum's targets."""

    def term(data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
        if [np.shape(x) for x in reference] != [x.shape for x in logprobs]:
            raise ValueError("the shapes of the reference and of the logprobs differ.")
        pairs = list(zip(logprobs, reference, strict=True))
        value = sum(float((np.exp(x) * (x - r)).sum()) for x, r in pairs)
        return value, {}, [np.exp(x) * (x - r + 1) for x, r in pairs]

    return NumpyLoss(term)


def consistency(pairs: Sequence[tuple[int, int]]) -> NumpyLoss:
    """Σ (a - b)² over pairs of datums with targets of one length, such as two wordings of one question."""

    def term(data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
        value, gradients = 0.0, [np.zeros_like(x) for x in logprobs]
        for first, second in pairs:
            difference = logprobs[first] - logprobs[second]
            value += float((difference**2).sum())
            gradients[first] += 2 * difference
            gradients[second] -= 2 * difference
        return value, {}, gradients

    return NumpyLoss(term)


def orthogonality(pairs: Sequence[tuple[int, int]]) -> NumpyLoss:
    """Σ (a · b)² over pairs of datums with targets of one length."""

    def term(data: list[types.Datum], logprobs: list[Array]) -> Evaluated:
        value, gradients = 0.0, [np.zeros_like(x) for x in logprobs]
        for first, second in pairs:
            product = float((logprobs[first] * logprobs[second]).sum())
            value += product**2
            gradients[first] += 2 * product * logprobs[second]
            gradients[second] += 2 * product * logprobs[first]
        return value, {}, gradients

    return NumpyLoss(term)


# ---- the gradient penalty -----------------------------------------------------------------------


def gradient_penalty(loss: Loss, target: float = 0.0) -> Loss:
    """(‖g‖ - target)², where g is the gradient of a loss by all log-probabilities of the batch. Reports ‖g‖ as `grad_l2`.

    Its own gradient is 2 · (‖g‖ - target) · H · g / ‖g‖, with the loss's second derivatives H. Of a loss in torch that is exact.
    A NumpyLoss returns only g, and H · g / ‖g‖ is the change of g along itself: the function is called twice more, with float64
    log-probabilities moved by up to ±0.001 in the direction of g, and the difference taken. Where g is 0, so is that.

    Args:
        loss: The loss whose gradient is penalized; often the one that the term is added to.
        target: The norm without penalty; at least 0.

    Raises:
        ValueError: The target is negative or not finite.
    """
    if not (math.isfinite(target) and target >= 0):
        raise ValueError(f"target is {target}; it must be 0 or more.")
    if isinstance(loss, NumpyLoss):
        return NumpyLoss(lambda data, logprobs: _by_differences(loss, target, data, logprobs))
    return lambda data, logprobs: _by_autograd(loss, target, data, logprobs)


_LARGEST_CHANGE = 1e-3
"""Of a log-probability: errors go with its square, and from rounding with its inverse."""


def _by_differences(
    loss: NumpyLoss, target: float, data: list[types.Datum], logprobs: list[Array]
) -> Evaluated:
    exact: list[Any] = [x.astype(np.float64) for x in logprobs]
    _, _, gradient = evaluate(loss, data, exact)
    norm = _norm(gradient)
    value, metrics = (norm - target) ** 2, {"grad_l2": norm}
    largest = max((float(np.abs(g).max(initial=0)) for g in gradient), default=0.0)
    if not largest:
        return value, metrics, [np.zeros_like(x) for x in logprobs]
    step = _LARGEST_CHANGE / largest
    _, _, ahead = evaluate(loss, data, [x + step * g for x, g in zip(exact, gradient, strict=True)])
    _, _, back = evaluate(loss, data, [x - step * g for x, g in zip(exact, gradient, strict=True)])
    scale = 2 * (norm - target) / (2 * step * norm)
    return value, metrics, [scale * (a - b) for a, b in zip(ahead, back, strict=True)]


def _by_autograd(
    loss: CustomLossFnV1, target: float, data: list[types.Datum], logprobs: list[Any]
) -> tuple[Any, dict[str, float]]:
    import torch  # noqa: PLC0415  # who has such a loss has it

    value, _ = run_in_torch(loss, data, logprobs)
    found = torch.autograd.grad(value, logprobs, create_graph=True, materialize_grads=True)
    norm = torch.linalg.vector_norm(torch.cat([one.reshape(-1) for one in found]))
    penalty = (norm - target) ** 2
    if not norm.requires_grad:  # the loss is linear: its gradient is the same everywhere
        penalty = penalty + 0.0 * sum(one.sum() for one in logprobs)
    return penalty, {"grad_l2": float(norm.detach())}
