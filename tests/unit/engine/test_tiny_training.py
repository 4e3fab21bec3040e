"""Adapters: how they begin, how gradients add up, what a step does, and that training learns."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.present import present
from tests.unit.engine.conftest import MakeExample, Shake
from tinker_local.engine.base import (
    AdamSpec,
    AdapterState,
    EngineError,
    Example,
    LoraSpec,
    SampleSpec,
)
from tinker_local.engine.tiny.engine import MODEL, TinyEngine

FOX = b"The quick brown fox jumps over the lazy dog, and then the dog chases the fox until dawn."


def next_byte(text: bytes) -> Example:
    """Every byte predicts the one after it, the last `<eos>`."""
    tokens = np.array([*text, 256])
    return Example(tokens=tokens[:-1], inputs={"target_tokens": tokens[1:]})


def train(
    engine: TinyEngine, adapter: AdapterState, data: list[Example], steps: int, rate: float
) -> Any:
    losses = []
    for _ in range(steps):
        result, adapter = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
        losses.append(result.metrics["loss:sum"] / sum(len(x.tokens) for x in data))
        _, adapter = engine.optim_step(adapter, AdamSpec(learning_rate=rate))
    return losses, adapter


def test_the_model(engine: TinyEngine) -> None:
    assert list(engine.models) == ["tinker-local/tiny"]
    model = engine.models["tinker-local/tiny"]
    assert (model.tokenizer_id, model.arch, model.max_context_length) == (
        "tinker-local/bytes",
        "tiny",
        2048,
    )


def test_a_fresh_adapter_is_the_base_model(engine: TinyEngine) -> None:
    prompt = np.frombuffer(FOX, np.uint8).astype(np.int64)
    spec = SampleSpec(prompt=prompt, max_tokens=4, seed=1, prompt_logprobs=True)
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=5))
    (base,) = engine.sample(MODEL, None, [spec])
    (fresh,) = engine.sample(MODEL, adapter, [spec])
    assert fresh.prompt_logprobs == base.prompt_logprobs
    assert fresh.sequences[0].tokens.tolist() == base.sequences[0].tokens.tolist()
    mean = -np.mean([x for x in present(base.prompt_logprobs) if x is not None])
    assert mean == pytest.approx(np.log(257), abs=0.5)


def test_seeds(engine: TinyEngine) -> None:
    def weights(seed: int | None) -> Any:
        return engine.new_adapter(MODEL, LoraSpec(rank=2, seed=seed)).weights

    for name, first in weights(7).items():
        np.testing.assert_array_equal(first, weights(7)[name])
        assert name.endswith("lora_B") or not np.array_equal(first, weights(8)[name])
        np.testing.assert_array_equal(weights(None)[name], weights(None)[name])


@pytest.mark.parametrize(
    ("trained", "parts"),
    [
        ("train_attn", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        ("train_mlp", {"gate_proj", "up_proj", "down_proj"}),
        ("train_unembed", {"unembed"}),
    ],
)
def test_what_is_trained(engine: TinyEngine, trained: str, parts: set[str]) -> None:
    off = dict.fromkeys(("train_attn", "train_mlp", "train_unembed"), False)
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=2, **{**off, trained: True}))
    assert {name.rsplit(".", 2)[-2] for name in adapter.weights} == parts
    losses, _ = train(engine, adapter, [next_byte(FOX)], 12, 5e-3)
    assert losses[-1] < losses[0]


def test_refused_adapters(engine: TinyEngine) -> None:
    with pytest.raises(EngineError, match="rank must be"):
        engine.new_adapter(MODEL, LoraSpec(rank=0))
    with pytest.raises(EngineError, match="trains nothing"):
        engine.new_adapter(
            MODEL, LoraSpec(rank=1, train_attn=False, train_mlp=False, train_unembed=False)
        )
    with pytest.raises(EngineError, match="unknown base model 'x'; available: tinker-local/tiny"):
        engine.new_adapter("x", LoraSpec(rank=1))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6), cuts=st.sets(st.integers(1, 5))
)
def test_gradients_add_up_however_a_batch_is_split(
    engine: TinyEngine, shaken: Shake, make_example: MakeExample, lengths: list[int], cuts: set[int]
) -> None:
    adapter = shaken(engine)
    data = [make_example(length) for length in lengths]
    whole, at_once = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    total, outputs, split = 0.0, [], adapter
    for start, end in itertools.pairwise(edges):
        part, split = engine.forward(split, data[start:end], "cross_entropy", {}, backward=True)
        total += part.metrics["loss:sum"]
        outputs += part.outputs
    assert total == pytest.approx(whole.metrics["loss:sum"], rel=1e-5)
    for one, other in zip(whole.outputs, outputs, strict=True):
        np.testing.assert_allclose(one["logprobs"], other["logprobs"], rtol=1e-4)
    for name, grad in at_once.grads.items():
        scale = np.abs(grad).max()
        np.testing.assert_allclose(split.grads[name], grad, rtol=1e-3, atol=1e-4 * scale)


def test_operations_leave_their_adapter_as_it_was(
    engine: TinyEngine, shaken: Shake, make_example: MakeExample
) -> None:
    before = shaken(engine)
    copies = {name: w.copy() for name, w in before.weights.items()}
    data = [make_example(8)]
    result, same = engine.forward(before, data, "cross_entropy", {}, backward=False)
    assert same is before
    again, after = engine.forward(before, data, "cross_entropy", {}, backward=True)
    assert again.metrics == result.metrics
    _, twice = engine.forward(after, data, "cross_entropy", {}, backward=True)
    metrics, stepped = engine.optim_step(twice, AdamSpec())
    assert before.grads == {}
    assert before.moments == {}
    for name, copy in copies.items():
        np.testing.assert_array_equal(before.weights[name], copy)
        np.testing.assert_array_equal(twice.grads[name], 2 * after.grads[name])
    assert (stepped.step, stepped.grads) == (1, {})
    norm = np.sqrt(sum(float((g.astype(float) ** 2).sum()) for g in twice.grads.values()))
    assert metrics == {"unclipped_grad_l2:mean": pytest.approx(norm)}


def test_a_step_without_gradients_is_one_with_zeros(
    engine: TinyEngine, shaken: Shake, make_example: MakeExample
) -> None:
    adapter = shaken(engine)
    metrics, stepped = engine.optim_step(adapter, AdamSpec(learning_rate=0.1, weight_decay=0.5))
    assert metrics == {"unclipped_grad_l2:mean": 0.0}
    for name, weight in adapter.weights.items():
        np.testing.assert_allclose(stepped.weights[name], 0.95 * weight, rtol=1e-6)
    # After a real step, momentum carries on.
    _, trained = engine.forward(adapter, [make_example(8)], "cross_entropy", {}, backward=True)
    _, trained = engine.optim_step(trained, AdamSpec())
    _, coasted = engine.optim_step(trained, AdamSpec())
    assert any((coasted.weights[n] != w).any() for n, w in trained.weights.items())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", -1.0),
        ("learning_rate", float("inf")),
        ("beta1", 1.0),
        ("beta2", -0.1),
        ("eps", 0.0),
        ("weight_decay", float("nan")),
        ("grad_clip_norm", -1.0),
    ],
)
def test_refused_settings(engine: TinyEngine, field: str, value: float) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    with pytest.raises(EngineError, match=f"^{field} must be"):
        engine.optim_step(adapter, evolve(AdamSpec(), **{field: value}))


def test_divergence_is_reported(engine: TinyEngine, make_example: MakeExample) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    data = [make_example(8)]
    with pytest.raises(EngineError, match="diverged"):
        train(engine, adapter, data, 4, 1e30)


def test_memorises_a_text_and_gives_it_back(engine: TinyEngine) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=8))
    losses, adapter = train(engine, adapter, [next_byte(FOX)], 50, 5e-3)
    assert losses[0] > 5
    assert losses[-1] < 0.05
    prompt = np.frombuffer(FOX[:10], np.uint8).astype(np.int64)
    (result,) = engine.sample(MODEL, adapter, [SampleSpec(prompt=prompt, temperature=0)])
    (sequence,) = result.sequences
    assert bytes(sequence.tokens[:-1].tolist()) == FOX[10:]
    assert (sequence.tokens[-1], sequence.stop_reason) == (256, "stop")


def test_any_rank_learns_at_the_same_rate(engine: TinyEngine) -> None:
    """The matrices are scaled by 1/rank, so that a learning rate fits every rank that is not tiny."""

    def loss_after(rank: int) -> float:
        adapter = engine.new_adapter(MODEL, LoraSpec(rank=rank))
        losses, _ = train(engine, adapter, [next_byte(FOX)], 13, 3e-3)
        return float(losses[-1])

    assert loss_after(1) < 2
    assert loss_after(200) == pytest.approx(loss_after(32), rel=0.1)
