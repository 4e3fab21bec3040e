"""The part of training that is the same for every engine: it checks examples, evaluates losses and their gradients by
the log-probabilities, and assembles results.

An engine computes the log-probabilities of all targets and takes the gradient from there on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import frozen

from tinker_local.engine import losses
from tinker_local.engine.base import EngineError, Example, LossResult, ModelSpec


@frozen(kw_only=True)
class Prepared:
    """An example, checked: targets are int64 [T] or [T, K], inputs float64 of that shape."""

    tokens: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    inputs: losses.Inputs


Evaluated = tuple[losses.Values, losses.LossValue]
"""An example's log-probabilities, shaped as its targets, and its loss."""


def prepare(
    data: Sequence[Example], loss: losses.Loss, settings: Mapping[str, Any], model: ModelSpec
) -> list[Prepared]:
    """Raises EngineError for mistakes of the caller."""
    if not data:
        raise EngineError("data is empty")
    return [_prepare(i, example, loss, settings, model) for i, example in enumerate(data)]


def _prepare(
    index: int,
    example: Example,
    loss: losses.Loss,
    settings: Mapping[str, Any],
    model: ModelSpec,
) -> Prepared:
    try:
        model.check_tokens(example.tokens)
        targets = losses.targets_of(example, model.vocab_size)
        inputs = losses.inputs_of(example, loss, settings, targets.shape)
    except EngineError as error:
        raise EngineError(f"data[{index}]: {error}") from None
    return Prepared(tokens=example.tokens, targets=targets, inputs=inputs)


def evaluate(index: int, loss: losses.Loss, logp: npt.NDArray[Any], example: Prepared) -> Evaluated:
    """The loss of `data[index]`, `logp` being its targets' log-probabilities in order.

    Raises EngineError when they, the loss or its gradient are not finite.
    """
    values = logp.astype(np.float64).reshape(example.targets.shape)
    if not np.isfinite(values).all():
        raise EngineError(
            f"data[{index}]: the model's log-probabilities are not finite; training has diverged"
        )
    value = losses.evaluate(loss, values, example.inputs)
    if not (np.isfinite(value.elementwise).all() and np.isfinite(value.gradient).all()):
        raise EngineError(
            f"data[{index}]: the loss is not finite; is `logprobs` far from the model's own?"
        )
    return values, value


def collect(loss: losses.Loss, values: Sequence[Evaluated]) -> LossResult:
    """The result of a batch, from the results of its examples in order."""
    metrics = {
        "loss:sum": math.fsum(x for _, value in values for x in value.elementwise.ravel().tolist())
    }
    for name in {name for _, value in values for name in value.metrics}:
        reported = [value.metrics[name] for _, value in values if name in value.metrics]
        total = math.fsum(reported)
        metrics[name] = total / len(reported) if name.endswith(":mean") else total
    return LossResult(
        output_type=loss.output_type,
        outputs=[
            {"logprobs": logp.astype(np.float32)}
            if loss.graph is not None
            else {
                "logprobs": logp.astype(np.float32),
                "elementwise_loss": value.elementwise.astype(np.float32),
            }
            for logp, value in values
        ],
        metrics=metrics,
    )
