"""Samples: greedy ones are transformers' own, others follow the distribution, and all mean what the tiny engine's mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve

from tests.real_models.conftest import shake
from tinker_local.engine import decoding
from tinker_local.engine.base import EngineError, Example, LoraSpec, PromptTargets, SampleSpec
from tinker_local.engine.seeds import random_state
from tinker_local.engine.tiny.engine import MODEL, TinyEngine

PROMPTS = [np.arange(3, 3 + n, dtype=np.int64) * 7 % 380 for n in (20, 3, 11, 1, 20)]


def spec(prompt: np.ndarray = PROMPTS[0], **options: Any) -> SampleSpec:
    return SampleSpec(
        prompt=prompt, **{"max_tokens": 12, "seed": 5, "stop_at_eos": False, **options}
    )


def scored(engine: Any, adapter: Any, tokens: Any) -> Any:
    """The log-probabilities of all but the first token, by training."""
    one = Example(tokens=tokens[:-1], inputs={"target_tokens": tokens[1:]})
    result, _ = engine.forward(adapter, [one], "cross_entropy", {}, backward=False)
    return result.outputs[0]["logprobs"]


@pytest.fixture
def adapter(engine: Any, kind: str, shaken: Any) -> Any:
    return shaken(kind)


def test_greedy_samples_are_those_of_generate(engine: Any, kind: str, reference: Any) -> None:
    """Of prompts of different lengths, together and alone."""
    results = engine.sample(kind, None, [spec(p, temperature=0.0, max_tokens=30) for p in PROMPTS])
    for prompt, result in zip(PROMPTS, results, strict=True):
        expected = reference.generate(
            torch.tensor(prompt)[None], max_new_tokens=30, min_new_tokens=30, do_sample=False
        )[0, len(prompt) :]
        if int(expected[-1]) == 2 or 2 in expected.tolist():  # generate suppresses the end
            continue
        (alone,) = engine.sample(kind, None, [spec(prompt, temperature=0.0, max_tokens=30)])
        assert result.sequences[0].tokens.tolist() == expected.tolist()
        assert alone.sequences[0].tokens.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.6, "top_k": 20, "top_p": 0.8}, {"top_p": 0.3}]
)
def test_logprobs_are_those_of_training(
    engine: Any, kind: str, adapter: Any, options: dict[str, Any]
) -> None:
    requests = [spec(p, prompt_logprobs=True, num_samples=3, **options) for p in PROMPTS]
    for request, result in zip(requests, engine.sample(kind, adapter, requests), strict=True):
        for sampled in result.sequences:
            tokens = np.concatenate([request.prompt, sampled.tokens])
            got = [*result.prompt_logprobs[1:], *sampled.logprobs]
            np.testing.assert_allclose(got, scored(engine, adapter, tokens), atol=1e-4)
        assert result.prompt_logprobs[0] is None


def test_a_seed_repeats_in_any_company(engine: Any, kind: str, adapter: Any) -> None:
    request = spec(num_samples=3, topk_sample_logprobs=2)
    (alone,) = engine.sample(kind, adapter, [request])
    *_, beside = engine.sample(
        kind, adapter, [*[spec(p, num_samples=2, seed=9) for p in PROMPTS], request]
    )
    for one, other in zip(alone.sequences, beside.sequences, strict=True):
        assert one.tokens.tolist() == other.tokens.tolist()
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
    assert len({tuple(one.tokens.tolist()) for one in alone.sequences}) == 3


def test_draws_mean_what_they_mean_for_every_engine(engine: Any, kind: str, reference: Any) -> None:
    """A draw is the inverse of the distribution function at the number that the seed gives."""
    for options in (
        {},
        {"temperature": 0.7},
        {"top_k": 5},
        {"top_p": 0.4, "temperature": 1.3},
        {"top_k": 300},
    ):
        request = spec(max_tokens=1, num_samples=40, **options)
        (result,) = engine.sample(kind, None, [request])
        with torch.no_grad():
            logits = reference(input_ids=torch.tensor(request.prompt)[None]).logits[0, -1]
        order, ranked = decoding.ranked(logits.double().log_softmax(-1).numpy()[None])
        rows = [decoding.Row.new(request, i, 5, 256, engine._bases[kind].text) for i in range(40)]
        ranks, drawn, _ = decoding.draw(np.repeat(ranked, 40, 0), rows)
        assert [int(s.tokens[0]) for s in result.sequences] == order[0, ranks].tolist()
        got = [float(s.drawn_logprobs[0]) for s in result.sequences]
        np.testing.assert_allclose(got, drawn, atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.6},
        {"top_k": 5},
        {"top_p": 0.7},
        {"temperature": 1.4, "top_k": 40, "top_p": 0.6},
    ],
)
def test_filters_and_seeds_mean_the_same_in_both_engines(
    engine: Any, shaken: Any, options: dict[str, Any]
) -> None:
    """Each draws from what transformers' own filters leave, at the numbers that the seed gives."""
    both: list[tuple[Any, str, Any]] = [
        (TinyEngine(), MODEL, None),
        (engine, "qwen3", shaken("qwen3")),
    ]
    for one, model, adapter in both:
        request = spec(max_tokens=1, num_samples=20, seed=11, **options)
        best = evolve(request, num_samples=1, topk_sample_logprobs=one.models[model].vocab_size)
        (result,) = one.sample(model, adapter, [request])
        (everything,) = one.sample(model, adapter, [best])
        scores = torch.full((1, len(everything.sequences[0].topk[0])), -torch.inf)
        for token, score in everything.sequences[0].topk[0]:
            scores[0, token] = score
        for warp in warpers(**options):
            scores = warp(torch.zeros(1, 1, dtype=torch.long), scores)
        probabilities = scores[0].double().softmax(0).numpy()
        order = np.argsort(-probabilities, kind="stable")
        below = probabilities[order].cumsum()
        for index, sequence in enumerate(result.sequences):
            number = random_state(11, f"sample {index}").random_sample(1)[0]
            token = int(sequence.tokens[0])
            assert token == order[np.searchsorted(below, number, side="right")]
            assert sequence.drawn_logprobs[0] == pytest.approx(
                np.log(probabilities[token]), abs=1e-4
            )


def warpers(temperature: float = 1.0, top_k: int = -1, top_p: float = 1.0) -> list[Any]:
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    found: list[Any] = [TemperatureLogitsWarper(temperature)]
    if top_k > 0:
        found.append(TopKLogitsWarper(top_k))
    return [*found, TopPLogitsWarper(top_p)]


def test_the_best_tokens_are_enough_or_all_are_ranked(
    engine: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinker_local.engine.hf import sampling

    requests = [
        spec(num_samples=20, max_tokens=3),
        spec(top_p=0.9),
        spec(top_k=50),
        spec(temperature=5.0),
    ]
    expected = engine.sample(kind, None, requests)
    monkeypatch.setattr(sampling, "BEST", 3)
    for one, other in zip(expected, engine.sample(kind, None, requests), strict=True):
        for mine, theirs in zip(one.sequences, other.sequences, strict=True):
            assert mine.tokens.tolist() == theirs.tokens.tolist()
            np.testing.assert_allclose(mine.drawn_logprobs, theirs.drawn_logprobs, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.01, 0.7, 1.0, 40.0])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.05])
def test_bins_draw_what_ranking_all_tokens_draws(
    engine: Any, random: np.random.RandomState, temperature: float, top_p: float
) -> None:
    """Of flat, peaked and equal scores, some of them minus infinity, and at numbers next to 0 and 1."""
    from tinker_local.engine.hf import sampling

    scores = torch.tensor(random.normal(size=(40, 500)).astype(np.float32))
    scores[10:20] = (8 * scores[10:20]).round()
    scores[20:30, ::2] = -torch.inf
    scores[30:] = 0
    scores = scores.log_softmax(1)
    request = spec(max_tokens=1, temperature=temperature, top_p=top_p)
    text = engine._bases["qwen3"].text
    rows = [decoding.Row.new(request, i, 5, 256, text) for i in range(40)]
    for i, number in enumerate((0.0, 1e-17, 1 - 2**-53)):
        for row in rows[i::10]:
            row.uniform[:] = number
    order, ranked = decoding.ranked(scores.double().numpy())
    probabilities = np.exp((ranked - ranked[:, :1]) / temperature)
    probabilities /= probabilities.sum(1, keepdims=True)
    probabilities[probabilities.cumsum(1) - probabilities >= top_p] = 0
    probabilities /= probabilities.sum(1, keepdims=True)
    tokens, logprobs, drawn = sampling._draw_from_all(scores, rows)
    for i, row in enumerate(rows):
        rank = order[i].tolist().index(tokens[i])
        below = probabilities[i, :rank].sum()
        assert below - 1e-6 < row.uniform[0] < below + probabilities[i, rank] + 1e-6
        assert logprobs[i] == ranked[i, rank]
        assert drawn[i] == pytest.approx(np.log(probabilities[i, rank]), abs=1e-4)


def test_more_sequences_than_grow_together(
    engine: Any, kind: str, adapter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinker_local.engine.hf import sampling

    request = spec(num_samples=7, max_tokens=3)
    (expected,) = engine.sample(kind, adapter, [request])
    monkeypatch.setattr(sampling, "MAX_ROWS", 3)
    (result,) = engine.sample(kind, adapter, [request])
    assert [s.tokens.tolist() for s in result.sequences] == [
        s.tokens.tolist() for s in expected.sequences
    ]


def test_a_prompt_is_computed_once(engine: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinker_local.engine.hf import sampling

    computed: list[int] = []
    prefill = sampling._prefill

    def counted(model: Any, prompts: Any, cache: Any) -> Any:
        computed.append(len(prompts))
        return prefill(model, prompts, cache)

    monkeypatch.setattr(sampling, "_prefill", counted)
    engine.sample(kind, None, [spec(num_samples=16), spec(num_samples=2, seed=8)])
    assert computed == [1]


def test_scores_of_a_prompt(engine: Any, kind: str, reference: Any) -> None:
    prompt = PROMPTS[0]
    targets = PromptTargets(rows=np.array([0, 3, 3]), token_ids=np.array([9, -1, 300]))
    request = spec(
        max_tokens=0,
        prompt_logprobs=True,
        prompt_logprobs_last_n=4,
        topk_prompt_logprobs=3,
        target_prompt_logprobs=targets,
        prompt_alt_tokens_k=200,
    )
    (result,) = engine.sample(kind, None, [request])
    with torch.no_grad():
        logp = reference(input_ids=torch.tensor(prompt)[None]).logits[0].log_softmax(-1).numpy()
    assert result.prompt_logprobs[:16] == [None] * 16
    np.testing.assert_allclose(
        result.prompt_logprobs[16:], logp[np.arange(15, 19), prompt[16:]], atol=1e-4
    )
    for row, scores in zip(result.topk_prompt_logprobs[16:], logp[15:19], strict=True):
        assert [token for token, _ in row] == np.argsort(-scores)[:3].tolist()
    np.testing.assert_allclose(
        result.target_prompt_logprobs, [logp[0, 9], 0, logp[3, 300]], atol=1e-4
    )
    assert result.prompt_alt_tokens.tokens.shape == (19, 200)
    rows = np.arange(19)[:, None]
    np.testing.assert_allclose(
        result.prompt_alt_tokens.logprobs, logp[rows, result.prompt_alt_tokens.tokens], atol=1e-4
    )


def test_sequences_stop_as_asked(engine: Any, kind: str) -> None:
    (free,) = engine.sample(kind, None, [spec(max_tokens=40)])
    tokens = free.sequences[0].tokens.tolist()
    (stopped,) = engine.sample(kind, None, [spec(max_tokens=40, stop_tokens=[tokens[5]])])
    assert stopped.sequences[0].tokens.tolist() == tokens[: tokens.index(tokens[5]) + 1]
    assert stopped.sequences[0].stop_reason == "stop"
    text = b"".join(engine.token_bytes(kind, token) for token in tokens)
    start = next(n for n in range(len(text)) if text[n : n + 3].isascii() and n > 3)
    stop = text[start : start + 3].decode()
    (stopped,) = engine.sample(kind, None, [spec(max_tokens=40, stop_strings=[stop])])
    got = b"".join(engine.token_bytes(kind, int(token)) for token in stopped.sequences[0].tokens)
    assert stop.encode() in got
    assert stopped.sequences[0].tokens.tolist() == tokens[: len(stopped.sequences[0].tokens)]


def test_several_adapters_share_the_base(
    engine: Any, kind: str, shaken: Any, random: np.random.RandomState
) -> None:
    """What one adapter's computation is does not show in another's, nor in the base model's."""
    first, second = (
        engine.load(shake(engine.save(engine.new_adapter(kind, LoraSpec(rank=r))), random))
        for r in (2, 4)
    )
    alone = [
        engine.sample(kind, one, [spec()])[0].sequences[0].tokens.tolist()
        for one in (first, second, None)
    ]
    again = [
        engine.sample(kind, one, [spec()])[0].sequences[0].tokens.tolist()
        for one in (None, second, first)
    ]
    assert alone == again[::-1]
    assert len({tuple(one) for one in alone}) == 3


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_tokens": 250}, "exceeds the model's context"),
        ({"prompt": np.array([10_000])}, "outside the vocabulary"),
        ({"prompt": np.zeros(0, np.int64)}, "has no tokens"),
        ({"temperature": -1.0}, "temperature"),
    ],
)
def test_bad_requests_are_refused(engine: Any, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(EngineError, match=reason):
        engine.sample("qwen3", None, [evolve(spec(), **options)])


def test_a_listener_gets_the_tokens_that_are_sampled(engine: Any, kind: str) -> None:
    drawn: list[tuple[int, int]] = []
    request = spec(
        num_samples=2, listener=lambda index, token, logprob: drawn.append((index, token))
    )
    (result,) = engine.sample(kind, None, [request])
    for index, sequence in enumerate(result.sequences):
        assert [token for i, token in drawn if i == index] == sequence.tokens.tolist()
