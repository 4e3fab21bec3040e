"""Loss values, outputs and metrics are as documented; mistakes are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import evolve

from tests.unit.engine.conftest import MakeExample, Shake
from tinker._training.metrics import reduce
from tinker_local.engine.base import EngineError, Example, LoraSpec
from tinker_local.engine.tiny.engine import MODEL, TinyEngine

Q = np.array([-5.0, -5.6, -6.0, -5.2])
A = np.array([1.0, -2.0, 0.5, 0.0])
MASK = np.array([0.0, 1.0, 1.0, 1.0])
SAMPLED = {"logprobs": Q, "advantages": A}
POLICY = {"loss:sum", "kl:mean", "entropy:mean", "advantage:mean"}


def ppo(ratio: Any, low: Any, high: Any) -> Any:
    return -np.minimum(ratio * A, np.clip(ratio, low, high) * A)


CASES = [
    ("cross_entropy", {}, {}, lambda p: -p),
    ("cross_entropy", {"weights": A}, {}, lambda p: -A * p),
    ("importance_sampling", SAMPLED, {}, lambda p: -np.exp(p - Q) * A),
    ("ppo", SAMPLED, {}, lambda p: ppo(np.exp(p - Q), 0.8, 1.2)),
    ("ppo", SAMPLED, {"clip_low_threshold": 0.9}, lambda p: ppo(np.exp(p - Q), 0.9, 1.2)),
    (
        "ppo",
        {**SAMPLED, "clip_high_threshold": np.array([1.0, 1.1, 1.3, 2.0])},
        {},
        lambda p: ppo(np.exp(p - Q), 0.8, np.array([1.0, 1.1, 1.3, 2.0])),
    ),
    ("cispo", SAMPLED, {}, lambda p: -np.clip(np.exp(p - Q), 0, 4) * p * A),
    (
        "cispo",
        SAMPLED,
        {"clip_high_threshold": 1.01},
        lambda p: -np.clip(np.exp(p - Q), 0, 1.01) * p * A,
    ),
    ("dro", SAMPLED, {}, lambda p: -(p * A - 0.005 * (p - Q) ** 2)),
    ("dro", SAMPLED, {"beta": 2.0}, lambda p: -(p * A - (p - Q) ** 2)),
    (
        "gspo",
        {**SAMPLED, "sequence_ratio_mask": MASK},
        {},
        lambda p: ppo(np.exp((p - Q)[1:].mean()), 0.8, 1.2),
    ),
]


@pytest.mark.parametrize(("loss_fn", "inputs", "config", "formula"), CASES)
def test_values(
    exact: TinyEngine,
    shaken: Shake,
    make_example: MakeExample,
    loss_fn: str,
    inputs: Any,
    config: dict[str, float],
    formula: Any,
) -> None:
    data = [make_example(4, **inputs), make_example(4, **inputs)]
    result, _ = exact.forward(shaken(exact), data, loss_fn, config, backward=False)
    for output in result.outputs:
        expected = formula(output["logprobs"].astype(np.float64))
        np.testing.assert_allclose(output["elementwise_loss"], expected, rtol=1e-5, atol=1e-6)
        assert {x.dtype for x in output.values()} == {np.dtype(np.float32)}
    total = sum(float(o["elementwise_loss"].sum()) for o in result.outputs)
    assert result.metrics["loss:sum"] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("loss_fn", "output_type", "metrics"),
    [
        ("cross_entropy", "CrossEntropyLossReturn", {"loss:sum"}),
        ("importance_sampling", "ImportanceSamplingLossReturn", POLICY),
        ("ppo", "PPOLossReturn", {*POLICY, "clip_fraction:mean"}),
        ("cispo", "CISPOLossReturn", {*POLICY, "clip_fraction:mean"}),
        ("dro", "DROLossReturn", POLICY),
        ("gspo", "GSPOLossReturn", {*POLICY, "clip_fraction:mean"}),
    ],
)
def test_names(
    engine: TinyEngine, make_example: MakeExample, loss_fn: str, output_type: str, metrics: set[str]
) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    data = [make_example(4, **SAMPLED, sequence_ratio_mask=MASK)]
    result, _ = engine.forward(adapter, data, loss_fn, {}, backward=False)
    assert result.output_type == output_type
    assert result.metrics.keys() == metrics


def test_clip_fraction_counts_what_has_an_advantage(
    engine: TinyEngine, make_example: MakeExample
) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    example = make_example(4)
    outputs = engine.forward(adapter, [example], "cross_entropy", {}, backward=False)[0].outputs
    # Ratios of e^-1, 1, 1 and, where nothing is at stake, e^1: one clipped of three that count.
    q = outputs[0]["logprobs"] + np.array([1, 0, 0, -1])
    data = [evolve(example, inputs={**example.inputs, "logprobs": q, "advantages": A})]
    on_policy = {**example.inputs, "logprobs": outputs[0]["logprobs"], "advantages": A}
    data.append(evolve(example, inputs=on_policy))
    metrics = engine.forward(adapter, data, "ppo", {}, backward=False)[0].metrics
    assert metrics["clip_fraction:mean"] == pytest.approx((1 / 3 + 0) / 2)


def test_over_a_whole_vocabulary_the_estimates_are_the_divergence_and_the_entropy(
    exact: TinyEngine, shaken: Shake, make_example: MakeExample
) -> None:
    """A uniform distribution draws each token once in 257 times, so here the means are the expectations."""
    vocabulary = exact.models[MODEL].vocab_size
    uniform = np.full((1, vocabulary), -np.log(vocabulary))
    example = make_example(1, k=vocabulary, logprobs=uniform, advantages=np.ones((1, vocabulary)))
    example.inputs["target_tokens"][0] = np.arange(vocabulary)
    result, _ = exact.forward(shaken(exact), [example], "ppo", {}, backward=False)
    p = result.outputs[0]["logprobs"].astype(np.float64)
    assert result.metrics["kl:mean"] == pytest.approx((uniform - p).mean(), rel=1e-5)
    assert result.metrics["entropy:mean"] == pytest.approx(np.log(vocabulary))
    assert result.metrics["advantage:mean"] == 1.0


def test_metrics_of_a_batch_do_not_depend_on_its_chunks(
    engine: TinyEngine, make_example: MakeExample, shaken: Shake
) -> None:
    prompt = {
        "logprobs": [0.0, *Q, -5.1],
        "advantages": [0.0, *A, 0.0],
    }  # its first target is given
    data = [
        make_example(4, **SAMPLED),
        make_example(6, **prompt),
        make_example(2, logprobs=np.zeros(2), advantages=np.zeros(2)),
    ]
    adapter = shaken(engine)

    def metrics(part: list[Example]) -> dict[str, float]:
        return engine.forward(adapter, part, "ppo", {}, backward=False)[0].metrics

    whole = metrics(data)
    split = reduce([(1, metrics(data[:1])), (2, metrics(data[1:]))])
    assert split == pytest.approx(whole, rel=1e-6)
    assert whole["advantage:mean"] == pytest.approx((A.mean() + A.sum() / 5 + 0) / 3)
    assert whole["entropy:mean"] == pytest.approx((-Q.mean() + (5.1 - Q.sum()) / 5 + 0) / 3)


def test_several_targets_a_position(engine: TinyEngine, make_example: MakeExample) -> None:
    """[N, K] targets are scored as K separate [N] ones."""
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    wide = make_example(6, k=3, weights=np.arange(18.0).reshape(6, 3))
    columns = [
        Example(tokens=wide.tokens, inputs={n: x[:, j] for n, x in wide.inputs.items()})
        for j in range(3)
    ]
    result, _ = engine.forward(adapter, [wide], "cross_entropy", {}, backward=False)
    parts, _ = engine.forward(adapter, columns, "cross_entropy", {}, backward=False)
    for name in ("logprobs", "elementwise_loss"):
        stacked = np.stack([part[name] for part in parts.outputs], axis=1)
        np.testing.assert_allclose(result.outputs[0][name], stacked, rtol=1e-5)
    assert result.metrics["loss:sum"] == pytest.approx(parts.metrics["loss:sum"], rel=1e-6)


def test_inputs_a_loss_does_not_know_are_ignored(
    engine: TinyEngine, make_example: MakeExample
) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    example = make_example(4)
    more = evolve(example, inputs={**example.inputs, "my_own": np.zeros((2, 2))})
    results = [
        engine.forward(adapter, [x], "cross_entropy", {}, backward=False)[0].metrics
        for x in (example, more)
    ]
    assert results[0] == results[1]


DRAWN = np.array([np.nan, -5.6, -5.0, -5.4], np.float32)
KL = {
    "k1": lambda d: -d,
    "k2": lambda d: d**2 / 2,
    "k3": lambda d: np.exp(d) - 1 - d,
}


@pytest.mark.parametrize("estimator", [None, *KL])
def test_stable_reinforce(
    exact: TinyEngine, shaken: Shake, make_example: MakeExample, estimator: str
) -> None:
    """Weights are at most 1, and what was not sampled does not count; `logprobs` does not matter."""
    config = {"kl_coeff": 0.5, "kl_estimator": estimator} if estimator else {}
    data = [evolve(make_example(4, **SAMPLED), drawn_logprobs=DRAWN)]
    result, after = exact.forward(shaken(exact), data, "stable_reinforce", config, backward=True)
    p = result.outputs[0]["logprobs"].astype(np.float64)
    d = p - DRAWN
    kl = KL[estimator or "k3"](d)
    expected = config.get("kl_coeff", 0.01) * kl - np.minimum(np.exp(d), 1) * A * p
    expected[0] = 0
    np.testing.assert_allclose(
        result.outputs[0]["elementwise_loss"], expected, rtol=1e-5, atol=1e-6
    )
    assert result.metrics["kl:mean"] == pytest.approx(kl[1:].mean(), rel=1e-5)
    assert result.output_type == "StableReinforceLossReturn"
    unseen = evolve(data[0], drawn_logprobs=np.full(4, np.nan, np.float32))
    result, after = exact.forward(shaken(exact), [unseen], "stable_reinforce", {}, backward=True)
    assert result.metrics == {"loss:sum": 0.0}
    assert all((grad == 0).all() for grad in after.grads.values())


TOKENS = np.arange(4)
TARGETS = {"target_tokens": TOKENS + 1}

MISTAKES = [
    ("nonsense", TOKENS, TARGETS, {}, "unknown loss_fn 'nonsense'; available: cross_entropy"),
    ("ppo", TOKENS, TARGETS, {"clip": 1}, "key 'clip'; ppo allows clip_low_threshold, clip_high"),
    ("cross_entropy", TOKENS, TARGETS, {"beta": 1}, "'beta'; cross_entropy allows no keys"),
    ("dro", TOKENS, TARGETS, {"beta": float("nan")}, "'beta' must be a finite number"),
    ("cross_entropy", TOKENS, {}, {}, r"data\[0\]: loss_fn_inputs has no 'target_tokens'"),
    ("dro", TOKENS, TARGETS, {}, "has no 'logprobs'"),
    ("dro", TOKENS, TARGETS, {"beta": "x"}, "'beta' must be a finite number, not 'x'"),
    ("stable_reinforce", TOKENS, TARGETS, {}, "the origin of its targets is not known"),
    ("stable_reinforce", TOKENS, TARGETS, {"clip": 1}, "'clip'; stable_reinforce allows kl_coeff, kl_estimator"),
    ("stable_reinforce", TOKENS, TARGETS, {"kl_estimator": 3.0}, "must be one of k3, k2, k1, not 3.0"),
    ("gspo", TOKENS, {**TARGETS, **SAMPLED}, {}, "has no 'sequence_ratio_mask'"),
    ("cross_entropy", TOKENS, {"target_tokens": TOKENS[:3]}, {}, r"shape \[3\]; 4 tokens need \[4\]"),
    ("cross_entropy", TOKENS, {"target_tokens": TOKENS[None]}, {}, r"shape \[1, 4\]"),
    ("cross_entropy", TOKENS, {**TARGETS, "weights": A[:3]}, {}, r"weights has shape \[3\]"),
    ("cross_entropy", TOKENS, {**TARGETS, "weights": A * np.nan}, {}, r"weights\[0\] is nan; it must"),
    ("ppo", TOKENS, {**TARGETS, "logprobs": Q - np.inf, "advantages": A}, {}, r"logprobs\[0\] is -inf; it must"),
    ("ppo", TOKENS, {**TARGETS, "logprobs": Q, "advantages": A, "clip_low_threshold": A * np.nan}, {}, "is nan"),
    ("ppo", TOKENS, TARGETS, {"clip_low_threshold": float("nan")}, "must be a finite number"),
    ("cross_entropy", TOKENS, {"target_tokens": TOKENS + 254}, {}, "257, outside the vocabulary of 257"),
    ("cross_entropy", TOKENS, {"target_tokens": TOKENS - 1}, {}, "-1, outside"),
    ("cross_entropy", TOKENS, {"target_tokens": TOKENS + 0.5}, {}, "must be integers"),
    ("cross_entropy", TOKENS + 300, TARGETS, {}, "token 300, outside the vocabulary"),
    ("cross_entropy", TOKENS[:0], TARGETS, {}, "model_input has no tokens"),
    ("cross_entropy", np.zeros(2049, int), TARGETS, {}, "2049 tokens, more than the context of 2048"),
    ("importance_sampling", TOKENS, {**TARGETS, "logprobs": Q - 1e4, "advantages": A}, {}, "not finite"),
]  # fmt: skip


@pytest.mark.parametrize(("loss_fn", "tokens", "inputs", "config", "message"), MISTAKES)
def test_mistakes_are_named(
    engine: TinyEngine,
    loss_fn: str,
    tokens: Any,
    inputs: Any,
    config: dict[str, float],
    message: str,
) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    with pytest.raises(EngineError, match=message):
        engine.forward(
            adapter, [Example(tokens=tokens, inputs=inputs)], loss_fn, config, backward=True
        )


def test_the_mistaken_example_is_named(engine: TinyEngine, make_example: MakeExample) -> None:
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
    data = [make_example(4), make_example(4), make_example(4, weights=np.ones(5))]
    with pytest.raises(EngineError, match=r"^data\[2\]: weights"):
        engine.forward(adapter, data, "cross_entropy", {}, backward=True)


def test_no_data(engine: TinyEngine) -> None:
    with pytest.raises(EngineError, match="data is empty"):
        adapter = engine.new_adapter(MODEL, LoraSpec(rank=1))
        engine.forward(adapter, [], "cross_entropy", {}, backward=True)
