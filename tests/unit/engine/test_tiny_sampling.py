"""Sampling: repeatable by seed in any company, in agreement with training, stopped as asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import evolve

from tests.support.present import present
from tests.unit.engine.conftest import Shake
from tinker_local.engine.base import (
    AdamSpec,
    AdapterState,
    EngineError,
    Example,
    LoraSpec,
    PromptTargets,
    SampleSpec,
)
from tinker_local.engine.tiny.engine import MODEL, TinyEngine


def spec(prompt: bytes = b"Once upon a time", **options: Any) -> SampleSpec:
    defaults = {"max_tokens": 12, "seed": 5}
    tokens = np.frombuffer(prompt, np.uint8).astype(np.int64)
    return SampleSpec(prompt=tokens, **{**defaults, **options})


def forward_logprobs(engine: TinyEngine, adapter: AdapterState, tokens: Any, targets: Any) -> Any:
    data = [Example(tokens=np.asarray(tokens), inputs={"target_tokens": np.asarray(targets)})]
    result, _ = engine.forward(adapter, data, "cross_entropy", {}, backward=False)
    return result.outputs[0]["logprobs"]


def same(a: Any, b: Any) -> Any:
    assert a.tokens.tolist() == b.tokens.tolist()
    assert a.logprobs.tolist() == b.logprobs.tolist()
    assert (a.stop_reason, a.topk) == (b.stop_reason, b.topk)


@pytest.fixture
def adapter(engine: TinyEngine, shaken: Shake) -> Any:
    return shaken(engine, scale=0.1)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.6, "top_k": 20, "top_p": 0.8}])
def test_logprobs_are_those_of_training(
    engine: TinyEngine, adapter: AdapterState, options: Any
) -> None:
    """Also when drawn from a tempered and filtered distribution; for more than a block's length."""
    request = spec(b"ab" * 70, max_tokens=40, stop_at_eos=False, prompt_logprobs=True, **options)
    (result,) = engine.sample(MODEL, adapter, [request])
    sampled = result.sequences[0]
    tokens = np.concatenate([request.prompt, sampled.tokens])
    expected = forward_logprobs(engine, adapter, tokens[:-1], tokens[1:])
    got = [*present(result.prompt_logprobs)[1:], *sampled.logprobs]
    np.testing.assert_allclose(got, expected, atol=1e-4)
    assert present(result.prompt_logprobs)[0] is None


def test_a_seed_repeats_in_any_company(engine: TinyEngine, adapter: AdapterState) -> None:
    request = spec(num_samples=3, topk_sample_logprobs=2)
    others = [spec(bytes(range(n)), seed=n, num_samples=2, max_tokens=n) for n in range(5, 70, 9)]
    (alone,) = engine.sample(MODEL, adapter, [request])
    *_, beside = engine.sample(MODEL, adapter, [*others, request])
    for one, other in zip(alone.sequences, beside.sequences, strict=True):
        same(one, other)
    (first,) = engine.sample(MODEL, adapter, [evolve(request, num_samples=1)])
    same(first.sequences[0], alone.sequences[0])


def test_more_sequences_than_grow_together(engine: TinyEngine, adapter: AdapterState) -> None:
    (many,) = engine.sample(MODEL, adapter, [spec(num_samples=70, max_tokens=3)])
    (one,) = engine.sample(MODEL, adapter, [spec(num_samples=1, max_tokens=3)])
    assert len(many.sequences) == 70
    same(many.sequences[0], one.sequences[0])


def test_samples_differ(engine: TinyEngine, adapter: AdapterState) -> None:
    (result,) = engine.sample(MODEL, adapter, [spec(num_samples=8)])
    assert len({tuple(s.tokens.tolist()) for s in result.sequences}) == 8
    (other,) = engine.sample(MODEL, adapter, [spec(seed=6)])
    assert other.sequences[0].tokens.tolist() != result.sequences[0].tokens.tolist()


def test_without_a_seed_chance_decides(engine: TinyEngine, adapter: AdapterState) -> None:
    request = spec(seed=None)
    results = engine.sample(MODEL, adapter, [request, request])
    assert len({tuple(r.sequences[0].tokens.tolist()) for r in results}) == 2


@pytest.mark.parametrize("seed", [0, -1, 2**31, 2**63, 2**70])
def test_any_integer_is_a_seed(engine: TinyEngine, seed: int | None) -> None:
    a, b = engine.sample(MODEL, None, [spec(seed=seed), spec(seed=seed)])
    same(a.sequences[0], b.sequences[0])


def test_draws_follow_the_distribution(engine: TinyEngine, adapter: AdapterState) -> None:
    """The mean log-probability of samples is the negative entropy, 4 standard errors allowed."""
    request = spec(num_samples=2000, max_tokens=1, topk_sample_logprobs=257)
    (result,) = engine.sample(MODEL, adapter, [request])
    logp = np.array([x for _, x in present(result.sequences[0].topk)[0]])
    p = np.exp(logp)
    assert p.sum() == pytest.approx(1)
    mean = np.mean([s.logprobs[0] for s in result.sequences])
    deviation = np.sqrt((p * logp**2).sum() - (p * logp).sum() ** 2)
    assert mean == pytest.approx((p * logp).sum(), abs=4 * deviation / np.sqrt(2000))


def test_filters(engine: TinyEngine) -> None:
    request = spec(num_samples=300, max_tokens=1, topk_sample_logprobs=257)

    def drawn(**options: Any) -> Any:
        (result,) = engine.sample(MODEL, None, [evolve(request, **options)])
        return {int(s.tokens[0]) for s in result.sequences}, present(result.sequences[0].topk)[0]

    _, ranked = drawn()
    assert drawn(top_k=3)[0] == {token for token, _ in ranked[:3]}
    total, nucleus = 0.0, set()
    for token, logp in ranked:
        if total >= 0.2:
            break
        total += np.exp(logp)
        nucleus.add(token)
    assert drawn(top_p=0.2)[0] == nucleus
    for options in ({"temperature": 0.0}, {"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-300}):
        assert drawn(**options)[0] == {ranked[0][0]}
    # A lower temperature draws from fewer, a filter works on what the temperature left.
    assert len(drawn(temperature=0.2)[0]) < len(drawn()[0])


def test_greedy_takes_the_best_each_time(engine: TinyEngine, adapter: AdapterState) -> None:
    request = spec(temperature=0.0, topk_sample_logprobs=1, stop_at_eos=False)
    (result,) = engine.sample(MODEL, adapter, [request])
    sequence = result.sequences[0]
    best = [step[0] for step in present(sequence.topk)]
    assert [token for token, _ in best] == sequence.tokens.tolist()
    assert [x for _, x in best] == sequence.logprobs.tolist()


def test_top_k_of_prompt_and_samples(engine: TinyEngine, adapter: AdapterState) -> None:
    request = spec(b"abcd", prompt_logprobs=True, topk_prompt_logprobs=257, topk_sample_logprobs=3)
    (result,) = engine.sample(MODEL, adapter, [request])
    first, *rest = present(result.topk_prompt_logprobs)
    assert first is None
    for token, logprob, ranked in zip(
        b"bcd", present(result.prompt_logprobs)[1:], rest, strict=True
    ):
        assert dict(present(ranked))[token] == logprob
        assert [x for _, x in present(ranked)] == sorted(
            (x for _, x in present(ranked)), reverse=True
        )
    assert [len(step) for step in present(result.sequences[0].topk)] == [3] * len(
        result.sequences[0].tokens
    )
    (plain,) = engine.sample(MODEL, adapter, [spec(b"abcd")])
    assert (plain.prompt_logprobs, plain.topk_prompt_logprobs) == (None, None)
    assert plain.sequences[0].topk is None


@pytest.fixture(scope="module")
def parrot(engine: TinyEngine) -> Any:
    """An engine and weights that answer 'a' with 'bcdefgh' and `<eos>`."""
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=4))
    tokens = np.array([*b"abcdefgh", 256])
    data = [Example(tokens=tokens[:-1], inputs={"target_tokens": tokens[1:]})]
    for _ in range(40):
        _, adapter = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
        _, adapter = engine.optim_step(adapter, AdamSpec(learning_rate=5e-3))

    def answer(**options: Any) -> Any:
        request = spec(b"a", temperature=0.0, **{"max_tokens": 20, **options})
        (result,) = engine.sample(MODEL, adapter, [request])
        return result.sequences[0].tokens.tolist(), result.sequences[0].stop_reason

    return answer


@pytest.mark.parametrize(
    ("options", "text", "reason"),
    [
        ({}, [*b"bcdefgh", 256], "stop"),
        ({"max_tokens": None}, [*b"bcdefgh", 256], "stop"),
        ({"max_tokens": 3}, [*b"bcd"], "length"),
        ({"max_tokens": 0}, [], "length"),
        ({"stop_strings": ["ef"]}, [*b"bcdef"], "stop"),
        ({"stop_strings": ["zz", "d"]}, [*b"bcd"], "stop"),
        ({"stop_strings": ["ab"]}, [*b"bcdefgh", 256], "stop"),  # the prompt does not count
        ({"stop_strings": ["h<eos>"]}, [*b"bcdefgh", 256], "stop"),
        ({"stop_tokens": [ord("c")]}, [*b"bc"], "stop"),
        ({"stop_tokens": [ord("c")], "max_tokens": 2}, [*b"bc"], "stop"),
    ],
)
def test_stopping(parrot: Any, options: Any, text: Any, reason: str) -> None:
    assert parrot(**options) == (text, reason)


def test_going_on_after_eos(parrot: Any) -> None:
    tokens, reason = parrot(stop_at_eos=False)
    assert tokens[:8] == [*b"bcdefgh", 256]
    assert (len(tokens), reason) == (20, "length")


def test_to_the_end_of_the_context(engine: TinyEngine) -> None:
    request = spec(bytes(2040), max_tokens=None, stop_at_eos=False)
    (result,) = engine.sample(MODEL, None, [request])
    assert len(result.sequences[0].tokens) == 8
    (full,) = engine.sample(MODEL, None, [spec(bytes(2048), max_tokens=None, prompt_logprobs=True)])
    assert (len(full.sequences[0].tokens), full.sequences[0].stop_reason) == (0, "length")
    assert len(present(full.prompt_logprobs)) == 2048


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"prompt": b"x" * 2000, "max_tokens": 49},
            r"^Prompt length plus max_tokens exceeds the model's context window: 2000 \+ 49 > 2048$",
        ),
        ({"prompt": b""}, "prompt has no tokens"),
        ({"prompt": b"x" * 2049, "max_tokens": None}, "prompt has 2049 tokens"),
        ({"num_samples": 0}, "num_samples"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": -2}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"topk_prompt_logprobs": -1}, "topk_prompt_logprobs"),
        ({"stop_strings": [""]}, "stop string"),
    ],
)
def test_refusals(engine: TinyEngine, options: Any, message: str) -> None:
    request = spec(**options)
    with pytest.raises(EngineError, match=message):
        engine.check_sample(MODEL, request)
    with pytest.raises(EngineError, match=message):
        engine.sample(MODEL, None, [spec(), request])


def test_refused_tokens_and_models(engine: TinyEngine) -> None:
    with pytest.raises(EngineError, match="token 257, outside the vocabulary"):
        engine.check_sample(MODEL, SampleSpec(prompt=np.array([257])))
    with pytest.raises(EngineError, match="unknown base model"):
        engine.check_sample("other", spec())
    engine.check_sample(MODEL, spec())


# ---- what else can be known of a prompt and of the draws ----------------------------------------


def test_targets_are_scored_where_they_are_named(engine: TinyEngine, adapter: AdapterState) -> None:
    """As top-k of the whole vocabulary scores them, in any order and number, 0 for none."""
    rows, ids = np.array([0, 0, 2, 1, 1]), np.array([7, -1, 256, 5, 5])
    request = spec(
        b"abcd",
        topk_prompt_logprobs=257,
        target_prompt_logprobs=PromptTargets(rows=rows, token_ids=ids),
    )
    (result,) = engine.sample(MODEL, adapter, [request])
    ranked = result.topk_prompt_logprobs
    expected = [
        0.0 if i < 0 else dict(present(ranked)[row + 1])[i]
        for row, i in zip(rows, ids, strict=True)
    ]
    assert present(result.target_prompt_logprobs).tolist() == expected
    assert present(result.target_prompt_logprobs).dtype == np.float32


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_alternatives_follow_the_tempered_distribution(
    engine: TinyEngine, adapter: AdapterState, temperature: Any
) -> None:
    """Drawn with replacement; their log-probabilities are the model's own."""
    k = 4000
    request = spec(b"abc", temperature=temperature, prompt_alt_tokens_k=k, topk_prompt_logprobs=257)
    (result,) = engine.sample(MODEL, adapter, [request])
    found = present(result.prompt_alt_tokens)
    assert found.tokens.shape == found.logprobs.shape == (2, k)
    for tokens, logprobs, ranked in zip(
        found.tokens,
        found.logprobs,
        present(result.topk_prompt_logprobs)[1:],
        strict=True,
    ):
        own = dict(present(ranked))
        assert logprobs.tolist() == [own[token] for token in tokens.tolist()]
        logp = np.array([own[token] for token in range(257)])
        p = np.exp(logp / temperature)
        p /= p.sum()
        deviation = np.sqrt((p * logp**2).sum() - (p * logp).sum() ** 2)
        assert logprobs.mean() == pytest.approx((p * logp).sum(), abs=4 * deviation / np.sqrt(k))


def test_alternatives_repeat_by_seed_and_change_no_sample(
    engine: TinyEngine, adapter: AdapterState
) -> None:
    plain, request = spec(), spec(prompt_alt_tokens_k=5)
    (alone,) = engine.sample(MODEL, adapter, [request])
    without, again, other = engine.sample(MODEL, adapter, [plain, request, evolve(request, seed=6)])
    same(alone.sequences[0], without.sequences[0])
    drawn = present(alone.prompt_alt_tokens).tokens.tolist()
    assert present(again.prompt_alt_tokens).tokens.tolist() == drawn
    assert present(other.prompt_alt_tokens).tokens.tolist() != drawn
    assert without.prompt_alt_tokens is None


@pytest.mark.parametrize("temperature", [0.0, 1e-300])
def test_greedy_alternatives_are_the_best(
    engine: TinyEngine, adapter: AdapterState, temperature: Any
) -> None:
    request = spec(temperature=temperature, prompt_alt_tokens_k=2, topk_prompt_logprobs=1)
    (result,) = engine.sample(MODEL, adapter, [request])
    best = [present(row)[0][0] for row in present(result.topk_prompt_logprobs)[1:]]
    assert present(result.prompt_alt_tokens).tokens.tolist() == [[token, token] for token in best]


def test_a_prompt_of_one_token_has_no_alternatives(engine: TinyEngine) -> None:
    (result,) = engine.sample(MODEL, None, [spec(b"a", prompt_alt_tokens_k=3)])
    assert present(result.prompt_alt_tokens).tokens.shape == (0, 3)


def test_only_the_last_places_are_scored_by_top_k_too(
    engine: TinyEngine, adapter: AdapterState
) -> None:
    request = spec(b"abcd", prompt_logprobs=True, topk_prompt_logprobs=3)
    (whole,) = engine.sample(MODEL, adapter, [request])
    for n in (1, 2, 3):
        part_of = evolve(request, prompt_logprobs_last_n=n)
        (part,) = engine.sample(MODEL, adapter, [part_of])
        for name in ("prompt_logprobs", "topk_prompt_logprobs"):
            assert getattr(part, name) == [None] * (4 - n) + getattr(whole, name)[-n:]


def test_draws_know_how_likely_they_were(engine: TinyEngine, adapter: AdapterState) -> None:
    """Without filters at temperature 1 as the model says; else renormalized over what was left to draw from."""
    request = spec(max_tokens=1, num_samples=20, topk_sample_logprobs=257)
    for options in (
        {},
        {"temperature": 0.5},
        {"top_k": 5},
        {"top_p": 0.3},
        {"temperature": 2.0, "top_k": 9, "top_p": 0.5},
        {"temperature": 0.0},
    ):
        asked = evolve(request, **options)
        (result,) = engine.sample(MODEL, adapter, [asked])
        tokens, logp = map(np.array, zip(*present(result.sequences[0].topk)[0], strict=True))
        p = (
            np.exp(logp / asked.temperature)
            if asked.temperature
            else (logp == logp[0]).astype(float)
        )
        if asked.top_k > 0:
            p[asked.top_k :] = 0
        p /= p.sum()
        p[np.cumsum(p) - p >= asked.top_p] = 0
        drawn = dict(zip(tokens.tolist(), p / p.sum(), strict=True))
        for sequence in result.sequences:
            (token,), (logprob,) = sequence.tokens.tolist(), sequence.drawn_logprobs.tolist()
            assert np.exp(logprob) == pytest.approx(drawn[token], rel=1e-4)


@pytest.mark.parametrize("top_k", [0, -2])
def test_top_k_of_nothing_is_refused(engine: TinyEngine, top_k: Any) -> None:
    with pytest.raises(EngineError, match="top_k must be at least 1, or -1 for no limit"):
        engine.sample(MODEL, None, [spec(top_k=top_k)])
