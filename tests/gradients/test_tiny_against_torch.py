"""Log-probabilities, losses, gradients and optimizer steps, compared with torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import evolve

from tests.support.present import present
from tests.support.tiny_in_torch import clip_fraction, loss_of, metrics_of, network
from tinker_local.engine.base import AdamSpec, AdapterState, Example, LoraSpec, LossResult
from tinker_local.engine.tiny.engine import MODEL, TinyEngine

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def shaken(engine: TinyEngine, rank: int) -> AdapterState:
    random = np.random.RandomState(1)
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=rank))
    return evolve(
        adapter,
        weights={
            name: (w + random.normal(0, 0.02, w.shape)).astype(w.dtype)
            for name, w in adapter.weights.items()
        },
    )


def examples(lengths: list[int], drift: float = 0.0) -> list[Example]:
    """`drift`: how much likelier the samples were than the base model makes them; the ratios are its inverse."""
    random = np.random.RandomState(2)
    return [
        Example(
            tokens=random.randint(0, 257, n),
            drawn_logprobs=np.where(
                np.arange(n) > n // 3, random.normal(-5.6, 0.5, n), np.nan
            ).astype(np.float32),
            inputs={
                "target_tokens": random.randint(0, 257, n),
                "weights": random.normal(size=n),
                "logprobs": random.normal(-5.6, 0.5, n) + drift,
                "advantages": random.normal(size=n),
                "sequence_ratio_mask": (np.arange(n) > 1).astype(float),
            },
        )
        for n in lengths
    ]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-8), (np.float32, 2e-3)])
@pytest.mark.parametrize(
    ("loss_fn", "config"),
    [
        *((name, {}) for name in ("cross_entropy", "importance_sampling", "ppo", "cispo", "dro")),
        *(("gspo", {}), ("stable_reinforce", {})),
        *(("stable_reinforce", {"kl_estimator": k, "kl_coeff": 0.7}) for k in ("k1", "k2", "k3")),
    ],
)
def test_losses_and_gradients(
    loss_fn: str, config: dict[str, float], dtype: Any, tolerance: float
) -> None:
    engine = TinyEngine(dtype=dtype)
    adapter = shaken(engine, rank=6)
    data = examples([5, 150, 33])
    result, after = engine.forward(adapter, data, loss_fn, config, backward=True)

    check(adapter, data, loss_fn, config, result, after, tolerance)


@pytest.mark.parametrize("drift", [-3.0, 0.5])
@pytest.mark.parametrize("loss_fn", ["ppo", "cispo", "gspo"])
def test_default_thresholds(loss_fn: str, drift: float) -> None:
    """Ratios far outside them, on both sides: of ppo and gspo 0.8 and 1.2, of cispo 0 and 4."""
    engine = TinyEngine(dtype=np.float64)
    adapter, data = shaken(engine, rank=2), examples([30, 12], drift)
    result, after = engine.forward(adapter, data, loss_fn, {}, backward=True)
    clipped = result.metrics["clip_fraction:mean"]
    assert clipped > 0.5 if drift < 0 or loss_fn != "cispo" else clipped == 0
    check(adapter, data, loss_fn, {}, result, after, 1e-8)


def check(
    adapter: AdapterState,
    data: list[Example],
    loss_fn: str,
    config: dict[str, float],
    result: LossResult,
    after: AdapterState,
    tolerance: float,
) -> None:
    """Raise unless outputs, metric and gradients are torch's."""
    rank = adapter.lora.rank
    factors = {
        name: torch.tensor(w, dtype=torch.float64, requires_grad=True)
        for name, w in adapter.weights.items()
    }
    total = torch.zeros((), dtype=torch.float64)
    for example, output in zip(data, result.outputs, strict=True):
        logp = network(factors, rank, torch.tensor(example.tokens))
        targets = torch.tensor(example.inputs["target_tokens"])
        own = logp.gather(1, targets[:, None])[:, 0]
        inputs = {
            **example.inputs,
            "drawn_logprobs": present(example.drawn_logprobs).astype(np.float64),
        }
        given = {name: torch.tensor(value) for name, value in inputs.items()}
        elementwise = loss_of(loss_fn, own, given, **config)
        np.testing.assert_allclose(output["logprobs"], own.detach(), atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(
            output["elementwise_loss"], elementwise.detach(), atol=1e-4, rtol=1e-4
        )
        total = total + elementwise.sum()
    total.backward()
    assert result.metrics["loss:sum"] == pytest.approx(total.item(), rel=1e-4)
    for name, factor in factors.items():
        expected = factor.grad.numpy()
        np.testing.assert_allclose(
            after.grads[name],
            expected,
            rtol=tolerance,
            atol=tolerance * np.abs(expected).max(),
            err_msg=name,
        )


@pytest.mark.parametrize("loss_fn", ["importance_sampling", "ppo", "cispo", "dro", "gspo"])
def test_metrics_of_losses_that_go_by_samples(loss_fn: str) -> None:
    engine = TinyEngine(dtype=np.float64)
    adapter = shaken(engine, rank=6)
    data = examples([5, 33])
    result, _ = engine.forward(adapter, data, loss_fn, {}, backward=False)
    factors = {name: torch.tensor(w) for name, w in adapter.weights.items()}
    expected: dict[str, float] = {}
    for example in data:
        logp = network(factors, 6, torch.tensor(example.tokens))
        own = logp.gather(1, torch.tensor(example.inputs["target_tokens"])[:, None])[:, 0]
        given = {name: torch.tensor(value) for name, value in example.inputs.items()}
        values = metrics_of(own, given)
        if loss_fn in ("ppo", "cispo", "gspo"):
            values["clip_fraction:mean"] = clip_fraction(loss_fn, own, given)
        for name, value in values.items():
            expected[name] = expected.get(name, 0.0) + value / len(data)
    assert {n: v for n, v in result.metrics.items() if n != "loss:sum"} == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_optimizer_steps_are_adamw(clip: Any) -> None:
    engine = TinyEngine()
    adapter = shaken(engine, rank=2)
    parameters = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in adapter.weights.items()}
    spec = AdamSpec(
        learning_rate=3e-3, beta1=0.8, beta2=0.97, eps=1e-8, weight_decay=0.1, grad_clip_norm=clip
    )
    reference = torch.optim.AdamW(
        parameters.values(), lr=3e-3, betas=(0.8, 0.97), eps=1e-8, weight_decay=0.1
    )
    random = np.random.RandomState(3)
    for _ in range(4):
        grads = {
            name: random.normal(0, 0.1, w.shape).astype(np.float32)
            for name, w in adapter.weights.items()
        }
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(grads[name])
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), clip or float("inf"))
        reference.step()
        metrics, adapter = engine.optim_step(evolve(adapter, grads=grads), spec)
        assert metrics["unclipped_grad_l2:mean"] == pytest.approx(norm.item(), rel=1e-5)
        for name, parameter in parameters.items():
            np.testing.assert_allclose(
                adapter.weights[name], parameter.detach(), rtol=1e-5, atol=1e-7
            )
