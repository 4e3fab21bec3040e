"""Combines the results of a call's chunks into one. Pure.

A metric's name is `name:suffix`; the suffix tells how the values of the chunks are reduced to one.
A chunk's weight is the number of its `loss_fn_outputs`.

    suffix            combined value
    mean              the mean, weighted; chunks of weight 0 do not count
    sum, min, max     the sum, the least, the greatest
    slack             the greatest minus the weighted mean
    unique            every value: the first as `key`, the others as `key_1`, `key_2`, …
    hash2,            the sum of the values' integer parts modulo 2**64, an int; the order of the
    hash_unordered    chunks does not matter
    any other, none   the value, if all chunks agree; otherwise every value, as for `unique`

    case                              what happens
    one chunk                         mean, sum, min, max and unique give its value, unchanged
    all values equal                  mean is that value exactly, whatever the weights
    all weights 0                     mean is NaN unless the values agree: the mean is not defined
    a key missing from some chunks    the others are combined, also if the first chunk lacks it
    two colons or more                the suffix is what follows the last one
    a NaN                             is kept: mean, sum, min, max and slack are NaN, as are hashes of
                                      NaN or infinity; a chunk of weight 0 does not spoil a mean
    null for a value                  counts as NaN

So nothing that a server sends is dropped, nothing raises, and every number follows from a rule. For `mean` and
`sum` it makes no difference how a batch was split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from attrs import evolve

from tinker import types
from tinker.types._numbers import with_nan

Metrics: TypeAlias = Mapping[str, float | None]
Weighted: TypeAlias = tuple[float, float]
"""A weight and a value."""


def combine(outputs: Sequence[types.ForwardBackwardOutput]) -> types.ForwardBackwardOutput:
    """One result from those of the chunks, in order: outputs joined, metrics reduced.

    The type is that of the first chunk that has one. Without chunks, the result is empty.
    """
    return types.ForwardBackwardOutput._of(
        next((out.loss_fn_output_type for out in outputs if out.loss_fn_output_type), ""),
        [output for out in outputs for output in out.loss_fn_outputs],
        reduce([(len(out.loss_fn_outputs), out.metrics) for out in outputs]),
    )


def with_mean_loss(
    output: types.ForwardBackwardOutput, total_weight: Callable[[], float | None]
) -> types.ForwardBackwardOutput:
    """An output with `loss:mean` beside `loss:sum`: the loss for each unit of the batch's weight.

    A mean that the server reports stays; without a weight there is no mean.
    """
    metrics = output.metrics
    if "loss:mean" in metrics or "loss:sum" not in metrics or not (weight := total_weight()):
        return output
    return evolve(output, metrics={**metrics, "loss:mean": metrics["loss:sum"] / weight})


def reduce(chunks: Sequence[tuple[float, Metrics]]) -> dict[str, float]:
    """The metrics of all chunks as one set, from each chunk's weight and metrics."""
    values: dict[str, list[Weighted]] = {}
    for weight, metrics in chunks:
        for key, value in with_nan(metrics).items():
            values.setdefault(key, []).append((weight, value))
    reduced: dict[str, float] = {}
    for key, weighted in values.items():
        combined = _REDUCERS.get(key.rpartition(":")[2] if ":" in key else "")
        if combined is not None:
            reduced[key] = combined(weighted)
        elif not key.endswith(":unique") and _agree(weighted):
            reduced[key] = weighted[0][1]
        else:
            for name, (_, value) in zip(_names(key, values), weighted, strict=False):
                reduced[name] = value
    return reduced


def _names(key: str, taken: Mapping[str, object]) -> Iterable[str]:
    """The names `key`, `key_1`, `key_2`, … except those that are metrics themselves."""
    yield key
    number = 0
    while True:
        number += 1
        if (name := f"{key}_{number}") not in taken:
            yield name


def _agree(weighted: Sequence[Weighted]) -> bool:
    first = weighted[0][1]
    return all(value == first for _, value in weighted)


def _mean(weighted: Sequence[Weighted]) -> float:
    if len(weighted) == 1 or _agree(weighted):
        return weighted[0][1]
    counted = [(weight, value) for weight, value in weighted if weight > 0]
    total = math.fsum(weight for weight, _ in counted)
    if total == 0:
        return math.nan
    return _fsum([weight / total * value for weight, value in counted])


def _sum(weighted: Sequence[Weighted]) -> float:
    if len(weighted) == 1:
        return weighted[0][1]
    return _fsum([value for _, value in weighted])


def _min(weighted: Sequence[Weighted]) -> float:
    return _unless_nan(min, weighted)


def _max(weighted: Sequence[Weighted]) -> float:
    return _unless_nan(max, weighted)


def _slack(weighted: Sequence[Weighted]) -> float:
    return _max(weighted) - _mean(weighted)


def _hash(weighted: Sequence[Weighted]) -> float:
    if not all(math.isfinite(value) for _, value in weighted):
        return math.nan
    return sum(int(value) for _, value in weighted) % 2**64


def _unless_nan(choose: Callable[[Iterable[float]], float], weighted: Sequence[Weighted]) -> float:
    values = [value for _, value in weighted]
    return math.nan if any(math.isnan(value) for value in values) else choose(values)


def _fsum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond the range of floats, or infinities of both signs
        return sum(values)


_REDUCERS: Mapping[str, Callable[[Sequence[Weighted]], float]] = {
    "mean": _mean,
    "sum": _sum,
    "min": _min,
    "max": _max,
    "slack": _slack,
    "hash2": _hash,
    "hash_unordered": _hash,
}
