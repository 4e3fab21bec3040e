"""Gradients are the derivatives of the losses, for every loss and every factor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import evolve

from tests.unit.engine.conftest import MakeExample, Shake
from tinker_local.engine.base import AdapterState, Example
from tinker_local.engine.tiny.engine import TinyEngine

STEP = 1e-6


def total(engine: TinyEngine, adapter: AdapterState, data: list[Example], loss_fn: str) -> float:
    return engine.forward(adapter, data, loss_fn, {}, backward=False)[0].metrics["loss:sum"]


def gradient(
    engine: TinyEngine, adapter: AdapterState, data: list[Example], loss_fn: str
) -> dict[str, Any]:
    return engine.forward(adapter, data, loss_fn, {}, backward=True)[1].grads


def moved(adapter: AdapterState, direction: dict[str, Any], by: float) -> AdapterState:
    return evolve(
        adapter, weights={n: w + by * direction.get(n, 0) for n, w in adapter.weights.items()}
    )


def sampled(
    engine: TinyEngine, adapter: AdapterState, make_example: MakeExample, length: int
) -> Example:
    """An example whose `logprobs` lie around the model's, so that some ratios are clipped."""
    random = np.random.RandomState(length)
    example = make_example(length)
    result, _ = engine.forward(adapter, [example], "cross_entropy", {}, backward=False)
    q = result.outputs[0]["logprobs"].astype(np.float64) + random.normal(0, 0.3, length)
    return evolve(
        example,
        inputs={
            **example.inputs,
            "logprobs": q,
            "advantages": random.normal(0, 1, length),
            "sequence_ratio_mask": (np.arange(length) >= 2).astype(np.float64),
        },
    )


def test_every_factor_of_every_matrix(
    exact: TinyEngine, shaken: Shake, make_example: MakeExample
) -> None:
    adapter = shaken(exact)
    data = [make_example(9), make_example(5, weights=np.linspace(-1, 2, 5)), make_example(4, k=3)]
    grads = gradient(exact, adapter, data, "cross_entropy")
    random = np.random.RandomState(2)
    assert grads.keys() == adapter.weights.keys()
    for name, grad in grads.items():
        direction = {name: random.normal(size=grad.shape)}
        difference = total(exact, moved(adapter, direction, STEP), data, "cross_entropy") - total(
            exact, moved(adapter, direction, -STEP), data, "cross_entropy"
        )
        expected = float(np.sum(grad * direction[name]))
        assert difference / (2 * STEP) == pytest.approx(expected, rel=1e-5, abs=1e-6), name


@pytest.mark.parametrize("loss_fn", ["cross_entropy", "importance_sampling", "ppo", "dro"])
def test_differentiable_losses(
    exact: TinyEngine, shaken: Shake, make_example: MakeExample, loss_fn: str
) -> None:
    adapter = shaken(exact)
    data = [sampled(exact, adapter, make_example, length) for length in (12, 7)]
    grads = gradient(exact, adapter, data, loss_fn)
    random = np.random.RandomState(3)
    direction = {name: random.normal(size=g.shape) for name, g in grads.items()}
    difference = total(exact, moved(adapter, direction, STEP), data, loss_fn) - total(
        exact, moved(adapter, direction, -STEP), data, loss_fn
    )
    expected = sum(float(np.sum(g * direction[name])) for name, g in grads.items())
    assert difference / (2 * STEP) == pytest.approx(expected, rel=1e-5)


def test_through_blocks_of_attention(
    exact: TinyEngine, shaken: Shake, make_example: MakeExample
) -> None:
    """Longer than one block of 128, so that attention goes by pairs of blocks."""
    adapter = shaken(exact, train_mlp=False, train_unembed=False)
    data = [make_example(300, weights=np.arange(300) > 250)]
    grads = gradient(exact, adapter, data, "cross_entropy")
    random = np.random.RandomState(4)
    direction = {name: random.normal(size=g.shape) for name, g in grads.items()}
    difference = total(exact, moved(adapter, direction, STEP), data, "cross_entropy") - total(
        exact, moved(adapter, direction, -STEP), data, "cross_entropy"
    )
    expected = sum(float(np.sum(g * direction[name])) for name, g in grads.items())
    assert difference / (2 * STEP) == pytest.approx(expected, rel=1e-5)


def as_cross_entropy(
    exact: TinyEngine, adapter: AdapterState, example: Any, weights: Any
) -> dict[str, Any]:
    weighted = evolve(example, inputs={**example.inputs, "weights": weights})
    return gradient(exact, adapter, [weighted], "cross_entropy")


def close(a: dict[str, Any], b: dict[str, Any]) -> None:
    for name, grad in a.items():
        np.testing.assert_allclose(grad, b[name], rtol=1e-5, atol=1e-6 * np.abs(grad).max())


def test_cispo_weighs_log_probabilities_by_a_constant_ratio(
    exact: TinyEngine, shaken: Shake, make_example: MakeExample
) -> None:
    adapter = shaken(exact)
    example = sampled(exact, adapter, make_example, 12)
    config = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
    result, after = exact.forward(adapter, [example], "cispo", config, backward=True)
    x = example.inputs
    ratio = np.exp(
        result.outputs[0]["logprobs"].astype(np.float64) - np.asarray(x["logprobs"], np.float64)
    )
    weights = np.clip(ratio, 0.8, 1.2) * x["advantages"]
    close(after.grads, as_cross_entropy(exact, adapter, example, weights))


@pytest.mark.parametrize(("low", "high"), [(0.1, 9.0), (0.1, 0.2), (9.0, 9.5)])
def test_gspo_clips_the_whole_sequence(
    exact: TinyEngine, shaken: Shake, make_example: MakeExample, low: float, high: float
) -> None:
    """Every token has the sequence's ratio, and the gradient of its own log-probability."""
    adapter = shaken(exact)
    example = sampled(exact, adapter, make_example, 12)
    config = {"clip_low_threshold": low, "clip_high_threshold": high}
    result, after = exact.forward(adapter, [example], "gspo", config, backward=True)
    x = example.inputs
    log_ratio = result.outputs[0]["logprobs"].astype(np.float64) - np.asarray(
        x["logprobs"], np.float64
    )
    ratio = np.exp(log_ratio[2:].mean())
    a = x["advantages"]
    # Clipping takes the gradient where it makes the objective smaller.
    kept = (ratio * a <= np.clip(ratio, low, high) * a).astype(float)
    close(after.grads, as_cross_entropy(exact, adapter, example, kept * ratio * a))


@pytest.mark.parametrize("loss_fn", ["cross_entropy", "ppo", "gspo"])
def test_float32_follows_float64(
    engine: TinyEngine, exact: TinyEngine, shaken: Shake, make_example: MakeExample, loss_fn: str
) -> None:
    data = [sampled(exact, shaken(exact), make_example, 40)]
    expected = gradient(exact, shaken(exact), data, loss_fn)
    for name, grad in gradient(engine, shaken(engine), data, loss_fn).items():
        assert grad.dtype == np.float32
        np.testing.assert_allclose(
            grad, expected[name], rtol=2e-3, atol=2e-3 * np.abs(expected[name]).max()
        )
