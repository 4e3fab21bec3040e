"""Sampling: prompts are scored once each, then all sequences grow together, a token a step.

Log-probabilities, wherever they are returned, are the model's own: neither tempered nor filtered
by top-k and top-p. At temperature 1 without filters they are those the tokens were drawn with, at
any they agree with what `forward` computes for the same tokens.

The tokens that stop a sequence - `<eos>`, a stop token, those that complete a stop string - are
kept in it, with `stop_reason` "stop". A stop string is looked for in the bytes generated, not in
the prompt; it may begin and end inside tokens' texts.

Drawing is by inverting the distribution function with one uniform number a token. The numbers
come from (seed, index of the sample), so that the samples of one request differ, and a request is
repeated by its seed in whatever company. With temperature 0 the most probable token is taken, the
lowest id of equals.

The alternatives to a prompt's tokens are drawn in the same way, with replacement, at the request's
temperature and without filters, by numbers of their own.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

from tinker_local.engine.base import (
    EngineError,
    PromptAlternatives,
    SampledSequence,
    SampleResult,
    SampleSpec,
)
from tinker_local.engine.tiny import network
from tinker_local.engine.tiny.base_model import Matrices, Matrix, Sizes, random_state

EOS = 256
EOS_TEXT = b"<eos>"

MAX_ROWS = 64
"""Sequences that grow together; more wait, which bounds the memory of the caches."""
MAX_ALTERNATIVES = 2**20
"""Tokens drawn for one prompt."""

Scores = npt.NDArray[np.float64]
TopK = list[tuple[int, float]]


def token_bytes(token: int) -> bytes:
    return EOS_TEXT if token == EOS else bytes([token])


def check(spec: SampleSpec, sizes: Sizes) -> None:
    """Raises EngineError when the request cannot be sampled."""
    network.check_tokens(spec.prompt, sizes, what="prompt")
    wanted = spec.max_tokens or 0
    if len(spec.prompt) + wanted > sizes.context:
        raise EngineError(
            "Prompt length plus max_tokens exceeds the model's context window: "
            f"{len(spec.prompt)} + {wanted} > {sizes.context}"
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
    _check_prompt_scores(spec, sizes)


def _check_prompt_scores(spec: SampleSpec, sizes: Sizes) -> None:
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
        outside = ids[(ids < -1) | (ids >= sizes.vocab)]
        if outside.size:
            raise EngineError(
                f"target_prompt_logprobs has {outside[0]}, which is neither -1 nor in the vocabulary "
                f"of {sizes.vocab}"
            )
        if not (ids >= 0).any():
            raise EngineError("target_prompt_logprobs has no token id in it, but -1 alone")


def sample(matrices: Matrices, sizes: Sizes, specs: Sequence[SampleSpec]) -> list[SampleResult]:
    """Sample every request. `matrices` are float64 and merged.

    Raises EngineError when any of the requests cannot be sampled, before sampling any.
    """
    for spec in specs:
        check(spec, sizes)
    prompts: dict[bytes, _Prompt] = {}
    rows: list[list[_Row]] = []
    seeds = [secrets.randbits(64) if spec.seed is None else spec.seed for spec in specs]
    for spec, seed in zip(specs, seeds, strict=True):
        key = spec.prompt.astype(np.int64).tobytes()
        if key not in prompts:
            prompts[key] = _score(matrices, sizes, spec.prompt)
        rows.append([_Row.new(spec, prompts[key], sizes, seed, i) for i in range(spec.num_samples)])
    pending = [row for of_spec in rows for row in of_spec if row.stop_reason is None]
    for start in range(0, len(pending), MAX_ROWS):
        _grow(matrices, sizes, pending[start : start + MAX_ROWS])
    return [
        SampleResult(
            sequences=[row.sequence() for row in of_spec],
            prompt_logprobs=_prompt_logprobs(spec, of_spec[0].prompt),
            topk_prompt_logprobs=_topk_prompt_logprobs(spec, of_spec[0].prompt),
            target_prompt_logprobs=_target_prompt_logprobs(spec, of_spec[0].prompt),
            prompt_alt_tokens=_alternatives(spec, of_spec[0].prompt, seed),
        )
        for spec, seed, of_spec in zip(specs, seeds, rows, strict=True)
    ]


@frozen(kw_only=True)
class _Prompt:
    """A prompt's scores [T, vocab], and by layer its keys and values [heads, T, head_width]."""

    tokens: npt.NDArray[np.int64]
    scores: Scores
    keys: list[Matrix]
    values: list[Matrix]


@define(kw_only=True)
class _Row:
    """One sequence while it grows."""

    spec: SampleSpec
    index: int
    prompt: _Prompt
    limit: int
    uniform: Scores
    stop_strings: list[bytes]
    stop_tokens: frozenset[int]
    stop_reason: str | None = None
    tokens: list[int] = field(factory=list)
    logprobs: list[float] = field(factory=list)
    drawn: list[float] = field(factory=list)
    topk: list[TopK] = field(factory=list)
    text: bytes = b""

    @classmethod
    def new(cls, spec: SampleSpec, prompt: _Prompt, sizes: Sizes, seed: int, index: int) -> _Row:
        room = sizes.context - len(spec.prompt)
        limit = room if spec.max_tokens is None else spec.max_tokens
        return cls(
            spec=spec,
            index=index,
            prompt=prompt,
            limit=limit,
            uniform=random_state(seed, f"sample {index}").random_sample(limit),
            stop_strings=[stop.encode() for stop in spec.stop_strings],
            stop_tokens=frozenset(spec.stop_tokens) | ({EOS} if spec.stop_at_eos else set()),
            stop_reason="length" if limit == 0 else None,
        )

    def append(self, token: int, scores: Scores, drawn: float) -> None:
        self.tokens.append(token)
        self.logprobs.append(float(scores[token]))
        self.drawn.append(drawn)
        if self.spec.heard is not None:
            self.spec.heard(self.index, token, float(scores[token]))
        if self.spec.topk_sample_logprobs:
            self.topk.append(_topk(scores, self.spec.topk_sample_logprobs))
        piece = token_bytes(token)
        self.text += piece
        if token in self.stop_tokens or any(
            self.text.find(stop, max(0, len(self.text) - len(stop) - len(piece) + 1)) >= 0
            for stop in self.stop_strings
        ):
            self.stop_reason = "stop"
        elif len(self.tokens) == self.limit:
            self.stop_reason = "length"

    def sequence(self) -> SampledSequence:
        return SampledSequence(
            tokens=np.array(self.tokens, dtype=np.int32),
            logprobs=np.array(self.logprobs, dtype=np.float32),
            stop_reason=self.stop_reason or "length",
            drawn_logprobs=np.array(self.drawn, dtype=np.float32),
            topk=self.topk if self.spec.topk_sample_logprobs else None,
        )


class _Cache:
    """Keys and values of growing sequences: by layer [rows, heads, capacity, head_width]."""

    def __init__(self, rows: Sequence[_Row], sizes: Sizes) -> None:
        prompts = [row.prompt for row in rows]
        self.lengths = np.array([len(prompt.tokens) for prompt in prompts])
        shape = (len(rows), sizes.heads, int(self.lengths.max()) + 32, sizes.head_width)
        self.keys = [np.zeros(shape) for _ in range(sizes.layers)]
        self.values = [np.zeros(shape) for _ in range(sizes.layers)]
        for i, prompt in enumerate(prompts):
            for layer in range(sizes.layers):
                self.keys[layer][i, :, : self.lengths[i]] = prompt.keys[layer]
                self.values[layer][i, :, : self.lengths[i]] = prompt.values[layer]

    def reserve(self) -> None:
        """Room for one more token in every row."""
        capacity = self.keys[0].shape[2]
        if int(self.lengths.max()) == capacity:
            room = ((0, 0), (0, 0), (0, capacity), (0, 0))
            self.keys = [np.pad(k, room) for k in self.keys]
            self.values = [np.pad(v, room) for v in self.values]

    def attend(self, layer: int, queries: Matrix, keys: Matrix, values: Matrix) -> Matrix:
        """Take in one position a row, and attend from it to all its row has."""
        rows = np.arange(len(self.lengths))
        shape = (len(rows), *self.keys[layer].shape[1::2])
        self.keys[layer][rows, :, self.lengths] = keys.reshape(shape)
        self.values[layer][rows, :, self.lengths] = values.reshape(shape)
        longest = int(self.lengths.max()) + 1
        k, v = (cache[layer][:, :, :longest] for cache in (self.keys, self.values))
        weights = np.exp(queries.reshape(*shape[:2], 1, -1) @ k.swapaxes(-1, -2))
        weights *= np.arange(longest) <= self.lengths[:, None, None, None]
        mixed: Matrix = (weights @ v) / weights.sum(axis=-1, keepdims=True)
        return mixed

    def keep(self, rows: list[int]) -> None:
        self.lengths = self.lengths[rows]
        self.keys = [k[rows] for k in self.keys]
        self.values = [v[rows] for v in self.values]


def _score(matrices: Matrices, sizes: Sizes, tokens: npt.NDArray[np.int64]) -> _Prompt:
    """Each prompt is scored alone: its numbers cannot depend on its company."""
    keys: list[Matrix] = []
    values: list[Matrix] = []

    def attention(layer: int, q: Matrix, k: Matrix, v: Matrix) -> Matrix:
        keys.append(k)
        values.append(v)
        mixed: Matrix = network.causal_attention(layer, q, k, v)
        return mixed

    scores = network.log_probs(matrices, sizes, tokens[None], np.arange(len(tokens)), attention)
    if not np.isfinite(scores).all():
        raise EngineError("the model's log-probabilities are not finite; training has diverged")
    return _Prompt(tokens=tokens, scores=scores, keys=keys, values=values)


def _grow(matrices: Matrices, sizes: Sizes, rows: list[_Row]) -> None:
    """Sample the rows to their ends."""
    cache = _Cache(rows, sizes)
    scores = np.stack([row.prompt.scores[-1] for row in rows])
    while True:
        tokens, drawn = _draw(scores, rows)
        for i, row in enumerate(rows):
            if row.stop_reason is None:
                row.append(int(tokens[i]), scores[i], float(drawn[i]))
        growing = [i for i, row in enumerate(rows) if row.stop_reason is None]
        if not growing:
            return
        # A finished row goes on, unread, until half are: leaving means copying the caches.
        if 2 * len(growing) <= len(rows):
            rows, tokens = [rows[i] for i in growing], tokens[growing]
            cache.keep(growing)
        cache.reserve()
        scores = network.log_probs(
            matrices, sizes, tokens[:, None], cache.lengths[:, None], cache.attend
        )
        cache.lengths = np.minimum(cache.lengths + 1, sizes.context - 1)


def _draw(scores: Scores, rows: Sequence[_Row]) -> tuple[npt.NDArray[np.int64], Scores]:
    """One token for each row [rows], from its scores [rows, vocab], and the log-probabilities of the draws."""
    vocab = scores.shape[1]
    greedy = np.array([[row.spec.temperature == 0] for row in rows])
    temperature = np.where(greedy, 1.0, [[row.spec.temperature] for row in rows])
    top_k = np.where(greedy, 1, [[row.spec.top_k if row.spec.top_k > 0 else vocab] for row in rows])
    top_p = np.array([[row.spec.top_p] for row in rows])
    # A finished row has used up its numbers; what it would draw is not read.
    uniform = np.array([[row.uniform[min(len(row.tokens), row.limit - 1)]] for row in rows])

    order = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=1)
    with np.errstate(over="ignore"):  # by a temperature near 0
        weights = np.exp((ranked - ranked[:, :1]) / temperature)
    weights[np.arange(vocab) >= top_k] = 0
    below = np.cumsum(weights, axis=1)
    weights[below - weights >= top_p * below[:, -1:]] = 0
    below = np.cumsum(weights, axis=1)
    rank = np.argmax(below > uniform * below[:, -1:], axis=1)
    at = np.arange(len(rows)), rank
    tokens: npt.NDArray[np.int64] = order[at]
    return tokens, np.log(weights[at] / below[:, -1])


def _topk(scores: Scores, k: int) -> TopK:
    best = np.argsort(-scores, kind="stable")[:k]
    return [(int(token), _float32(scores[token])) for token in best]


def _prompt_logprobs(spec: SampleSpec, prompt: _Prompt) -> list[float | None] | None:
    if not spec.prompt_logprobs:
        return None
    tokens = prompt.tokens[1:]
    scored = [_float32(x) for x in prompt.scores[np.arange(len(tokens)), tokens]]
    unscored = _unscored(spec)
    return [*[None] * unscored, *scored[unscored - 1 :]]


def _topk_prompt_logprobs(spec: SampleSpec, prompt: _Prompt) -> list[TopK | None] | None:
    k = spec.topk_prompt_logprobs
    if not k:
        return None
    unscored = _unscored(spec)
    return [*[None] * unscored, *(_topk(scores, k) for scores in prompt.scores[unscored - 1 : -1])]


def _unscored(spec: SampleSpec) -> int:
    """How many tokens at the prompt's beginning have no score; the first never has one."""
    last_n = spec.prompt_logprobs_last_n
    return 1 if last_n is None else len(spec.prompt) - last_n


def _target_prompt_logprobs(spec: SampleSpec, prompt: _Prompt) -> npt.NDArray[np.float32] | None:
    targets = spec.target_prompt_logprobs
    if targets is None:
        return None
    scores = prompt.scores[targets.rows, targets.token_ids]
    return np.where(targets.token_ids >= 0, scores, 0.0).astype(np.float32)


def _alternatives(spec: SampleSpec, prompt: _Prompt, seed: int) -> PromptAlternatives | None:
    k = spec.prompt_alt_tokens_k
    if not k:
        return None
    scores = prompt.scores[:-1]
    if spec.temperature == 0:
        tokens = np.repeat(scores.argmax(axis=1)[:, None], k, axis=1)
    else:
        with np.errstate(over="ignore"):  # by a temperature near 0
            weights = np.exp((scores - scores.max(axis=1, keepdims=True)) / spec.temperature)
        below = weights.cumsum(axis=1)
        uniform = random_state(seed, "prompt alternatives").random_sample((len(scores), k))
        tokens = np.zeros((len(scores), k), np.int64)
        for i, row in enumerate(below):
            tokens[i] = np.searchsorted(row, uniform[i] * row[-1], side="right")
    logprobs = np.take_along_axis(scores, tokens, axis=1)
    return PromptAlternatives(tokens=tokens, logprobs=logprobs.astype(np.float32))


def _float32(x: float) -> float:
    return float(np.float32(x))
