"""Sampling, as far as it is the same for every engine: what a request may ask, what filters and seeds
mean, where a sequence ends, and what is told of a prompt.

Log-probabilities, wherever they are returned, are the model's own: neither tempered nor filtered
by top-k and top-p. At temperature 1 without filters they are those the tokens were drawn with, at
any they agree with what `forward` computes for the same tokens.

The tokens that stop a sequence - the end of text, a stop token, those that complete a stop string - are
kept in it, with `stop_reason` "stop". A stop string is looked for in the bytes generated, not in
the prompt; it may begin and end inside tokens' texts.

Drawing is by inverting the distribution function, over tokens from the most to the least probable (the
lowest id first of equals), with one uniform number a token. The numbers come from (seed, index of the
sample), so that the samples of one request differ, and a request is repeated by its seed in whatever
company. With temperature 0 the most probable token is taken.

The alternatives to a prompt's tokens are drawn from the distribution function in the order of token ids,
with replacement, at the request's temperature and without filters, by numbers of their own.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

from tinker_local.engine.base import (
    EngineError,
    ModelSpec,
    PromptAlternatives,
    SampledSequence,
    SampleResult,
    SampleSpec,
)
from tinker_local.engine.seeds import random_state

MAX_ALTERNATIVES = 2**20
"""Tokens drawn for one prompt."""

Ids = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
TopK = list[tuple[int, float]]


@frozen
class Text:
    """What sampling has to know of a tokenizer."""

    end: frozenset[int]
    """The tokens that end a text."""
    of_token: Callable[[int], bytes]


# ---- requests -----------------------------------------------------------------------------------


def check(spec: SampleSpec, model: ModelSpec) -> None:
    """Raise EngineError when the request cannot be sampled."""
    model.check_tokens(spec.prompt, what="prompt")
    wanted = spec.max_tokens or 0
    if len(spec.prompt) + wanted > model.max_context_length:
        raise EngineError(
            "Prompt length plus max_tokens exceeds the model's context window: "
            f"{len(spec.prompt)} + {wanted} > {model.max_context_length}"
        )
    for name, allowed, text in (
        ("num_samples", spec.num_samples >= 1, "at least 1"),
        ("max_tokens", wanted >= 0, "at least 0"),
        ("temperature", 0 <= spec.temperature < math.inf, "a number >= 0"),
        ("top_k", spec.top_k >= 1 or spec.top_k == -1, "at least 1, or -1 for no limit"),
        ("top_p", 0 < spec.top_p <= 1, "in (0, 1]"),
        ("topk_prompt_logprobs", spec.topk_prompt_logprobs >= 0, "at least 0"),
        ("topk_sample_logprobs", spec.topk_sample_logprobs >= 0, "at least 0"),
        ("prompt_alt_tokens_k", spec.prompt_alt_tokens_k >= 0, "at least 0"),
    ):
        if not allowed:
            raise EngineError(f"{name} must be {text}, not {getattr(spec, name)}")
    if "" in spec.stop_strings:
        raise EngineError("a stop string must not be empty")
    _check_prompt_scores(spec, model)


def _check_prompt_scores(spec: SampleSpec, model: ModelSpec) -> None:
    scored = len(spec.prompt) - 1
    last_n, targets = spec.prompt_logprobs_last_n, spec.target_prompt_logprobs
    if last_n is not None and not spec.prompt_logprobs:
        raise EngineError("prompt_logprobs_last_n needs prompt_logprobs")
    if last_n is not None and not 1 <= last_n <= scored:
        raise EngineError(
            f"prompt_logprobs_last_n is {last_n}; a prompt of {scored + 1} tokens takes 1 to {scored}"
        )
    if spec.prompt_alt_tokens_k * scored > MAX_ALTERNATIVES:
        raise EngineError(
            f"prompt_alt_tokens_k is {spec.prompt_alt_tokens_k}; a prompt of {scored + 1} tokens takes "
            f"at most {MAX_ALTERNATIVES // scored}"
        )
    if targets is not None:
        ids = targets.token_ids
        outside = ids[(ids < -1) | (ids >= model.vocab_size)]
        if outside.size:
            raise EngineError(
                f"target_prompt_logprobs has {outside[0]}, which is neither -1 nor in the vocabulary "
                f"of {model.vocab_size}"
            )
        if not (ids >= 0).any():
            raise EngineError("target_prompt_logprobs has no token id in it, but -1 alone")


def seed_of(spec: SampleSpec) -> int:
    """The request's seed, or one by chance."""
    return secrets.randbits(64) if spec.seed is None else spec.seed


# ---- sequences ----------------------------------------------------------------------------------


@define(kw_only=True)
class Row:
    """One sequence while it grows."""

    spec: SampleSpec
    index: int
    limit: int
    text: Text
    uniform: Scores
    stop_strings: list[bytes]
    stop_tokens: frozenset[int]
    stop_reason: str | None = None
    tokens: list[int] = field(factory=list)
    logprobs: list[float] = field(factory=list)
    drawn: list[float] = field(factory=list)
    topk: list[TopK] = field(factory=list)
    generated: bytes = b""

    @classmethod
    def new(cls, spec: SampleSpec, index: int, seed: int, context: int, text: Text) -> Row:
        room = context - len(spec.prompt)
        limit = room if spec.max_tokens is None else spec.max_tokens
        return cls(
            spec=spec,
            index=index,
            limit=limit,
            text=text,
            uniform=random_state(seed, f"sample {index}").random_sample(limit),
            stop_strings=[stop.encode() for stop in spec.stop_strings],
            stop_tokens=frozenset(spec.stop_tokens)
            | (text.end if spec.stop_at_eos else frozenset()),
            stop_reason="length" if limit == 0 else None,
        )

    def append(self, token: int, logprob: float, drawn: float, topk: TopK | None) -> None:
        """`logprob` is the model's own, `drawn` that of the distribution it was drawn from."""
        self.tokens.append(token)
        self.logprobs.append(logprob)
        self.drawn.append(drawn)
        if self.spec.heard is not None:
            self.spec.heard(self.index, token, logprob)
        if topk is not None:
            self.topk.append(topk)
        if token in self.stop_tokens or (self.stop_strings and self._completes_a_stop(token)):
            self.stop_reason = "stop"
        elif len(self.tokens) == self.limit or self.spec.is_cancelled():
            self.stop_reason = "length"

    def _completes_a_stop(self, token: int) -> bool:
        piece = self.text.of_token(token)
        self.generated += piece
        return any(
            self.generated.find(stop, max(0, len(self.generated) - len(stop) - len(piece) + 1)) >= 0
            for stop in self.stop_strings
        )

    def sequence(self) -> SampledSequence:
        return SampledSequence(
            tokens=np.array(self.tokens, dtype=np.int32),
            logprobs=np.array(self.logprobs, dtype=np.float32),
            stop_reason=self.stop_reason or "length",
            drawn_logprobs=np.array(self.drawn, dtype=np.float32),
            topk=self.topk if self.spec.topk_sample_logprobs else None,
        )


def ranked(scores: Scores | npt.NDArray[np.float32]) -> tuple[Ids, Scores]:
    """The tokens of each row [rows, vocab], the most probable first, and their scores."""
    if scores.dtype == np.float32:
        # The bits of floats of one sign are in the floats' order. With the ids behind them, sorting takes less than half
        # the time of finding a stable order.
        keys = np.abs(scores).view(np.uint32).astype(np.uint64) << np.uint64(32)
        keys |= np.arange(scores.shape[1], dtype=np.uint64)
        keys.sort(axis=1)
        order = (keys & np.uint64(2**32 - 1)).astype(np.int64)
    else:
        order = np.argsort(-scores, axis=1, kind="stable")
    return order, np.take_along_axis(scores, order, axis=1).astype(np.float64)


def draw(
    best: Scores, rows: Sequence[Row], mass: Scores | None = None
) -> tuple[Ids, Scores, npt.NDArray[np.bool_]]:
    """For each row the rank of the token it draws, its log-probability in the distribution that temperature
    and filters leave, and whether `best` was enough to tell.

    `best` [rows, K] are the scores of the most probable tokens, in order: of all tokens, or else `mass` [rows]
    is the sum over all tokens of `exp((score - highest score) / temperature)`.
    """
    size = best.shape[1]
    greedy = np.array([[row.spec.temperature == 0] for row in rows])
    temperature = np.where(greedy, 1.0, [[row.spec.temperature] for row in rows])
    top_k = np.where(greedy, 1, [[row.spec.top_k] for row in rows])
    top_p = np.array([[row.spec.top_p] for row in rows])
    # A finished row has used up its numbers; what it would draw is not read.
    uniform = np.array([[row.uniform[min(len(row.tokens), row.limit - 1)]] for row in rows])

    with np.errstate(over="ignore"):  # by a temperature near 0
        weights = np.exp((best - best[:, :1]) / temperature)
    weights[(np.arange(size) >= top_k) & (top_k > 0)] = 0
    below = np.cumsum(weights, axis=1)
    # Whether all that top-k leaves is among the best; then whether all that top-p leaves is.
    complete = (top_k > 0) & (top_k <= size)
    total = below[:, -1:]
    if mass is None:
        complete[:] = True
    else:
        total = np.where(complete, total, mass[:, None])
    cut = below - weights >= top_p * total
    weights[cut] = 0
    below = np.cumsum(weights, axis=1)
    complete |= cut[:, -1:] & (top_k < 0)
    total = np.where(complete, below[:, -1:], total)
    found = below > uniform * total
    decided = (complete | ((top_p == 1) & (top_k < 0))) & found.any(axis=1, keepdims=True)
    rank = np.argmax(found, axis=1)
    with np.errstate(divide="ignore"):  # of a row that is not decided
        drawn = np.log(weights[np.arange(len(rows)), rank] / total[:, 0])
    return rank, drawn, decided[:, 0]


# ---- prompts ------------------------------------------------------------------------------------


class ScoredPrompt(Protocol):
    """A prompt of T tokens as the model sees it."""

    def logprobs(self, rows: Ids, tokens: Ids) -> Scores:
        """Of each token as what follows the prompt's token `row`, [len(rows)]."""
        ...

    def scores(self, first: int) -> Iterator[Scores]:
        """The log-probabilities of what follows the prompt's tokens from `first` on to the last but one: blocks
        [rows, vocab]."""
        ...


def result(spec: SampleSpec, prompt: ScoredPrompt, rows: Sequence[Row], seed: int) -> SampleResult:
    """What a request gets, its rows being sampled."""
    unscored = _unscored(spec)
    logprobs: list[float | None] | None = None
    target_logprobs: npt.NDArray[np.float32] | None = None
    topk: list[TopK | None] | None = None
    alternatives: PromptAlternatives | None = None
    if spec.prompt_logprobs:
        places = np.arange(unscored - 1, len(spec.prompt) - 1)
        scored = prompt.logprobs(places, spec.prompt[places + 1])
        logprobs = [*[None] * unscored, *scored.astype(np.float32).tolist()]
    if (targets := spec.target_prompt_logprobs) is not None:
        given = targets.token_ids >= 0
        target_logprobs = np.zeros(len(given), np.float32)
        target_logprobs[given] = prompt.logprobs(targets.rows[given], targets.token_ids[given])
    if k := spec.topk_prompt_logprobs:
        blocks = prompt.scores(unscored - 1)
        topk = [*[None] * unscored, *(best(scores, k) for block in blocks for scores in block)]
    if spec.prompt_alt_tokens_k:
        alternatives = _alternatives(spec, prompt, seed)
    return SampleResult(
        sequences=[row.sequence() for row in rows],
        prompt_logprobs=logprobs,
        topk_prompt_logprobs=topk,
        target_prompt_logprobs=target_logprobs,
        prompt_alt_tokens=alternatives,
    )


def _unscored(spec: SampleSpec) -> int:
    """How many tokens at the prompt's beginning have no score; the first never has one."""
    last_n = spec.prompt_logprobs_last_n
    return 1 if last_n is None else len(spec.prompt) - last_n


def best(scores: Scores, k: int) -> TopK:
    """The k most probable tokens of a row [vocab]."""
    candidates = np.arange(len(scores))
    if k < len(scores):
        candidates = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
    order = candidates[np.argsort(-scores[candidates], kind="stable")[:k]]
    return [(int(token), float(np.float32(scores[token]))) for token in order]


def _alternatives(spec: SampleSpec, prompt: ScoredPrompt, seed: int) -> PromptAlternatives:
    k = spec.prompt_alt_tokens_k
    shape = (len(spec.prompt) - 1, k)
    uniform = random_state(seed, "prompt alternatives").random_sample(shape)
    tokens, logprobs = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    place = 0
    for block in prompt.scores(0):
        for scores in block:
            tokens[place] = _drawn(scores, spec.temperature, uniform[place])
            logprobs[place] = scores[tokens[place]]
            place += 1
    return PromptAlternatives(tokens=tokens, logprobs=logprobs)


def _drawn(scores: Scores, temperature: float, uniform: Scores) -> Ids:
    if temperature == 0:
        return np.full(len(uniform), scores.argmax())
    with np.errstate(over="ignore"):  # by a temperature near 0
        below = np.exp((scores - scores.max()) / temperature).cumsum()
    drawn: Ids = np.searchsorted(below, uniform * below[-1], side="right")
    return drawn
