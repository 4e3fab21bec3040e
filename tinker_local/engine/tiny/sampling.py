"""Sampling with the tiny model: each prompt is scored once, then all sequences grow together, one token at each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from attrs import frozen

from tinker_local.engine import decoding
from tinker_local.engine.base import EngineError, SampleResult, SampleSpec
from tinker_local.engine.decoding import Ids, Row, Scores, Text
from tinker_local.engine.tiny import network
from tinker_local.engine.tiny.base_model import Matrices, Matrix, Sizes

MAX_ROWS = 64
"""Maximum number of sequences that grow together; more wait, which bounds the memory of the caches."""


def sample(
    matrices: Matrices, sizes: Sizes, specs: Sequence[SampleSpec], text: Text
) -> list[SampleResult]:
    """Sample every request. `matrices` are float64 and merged."""
    prompts: dict[bytes, _Prompt] = {}
    work: list[tuple[SampleSpec, int, _Prompt, list[Row]]] = []
    for spec in specs:
        key = spec.prompt.astype(np.int64).tobytes()
        if key not in prompts:
            prompts[key] = _score(matrices, sizes, spec.prompt)
        seed = decoding.seed_of(spec)
        rows = [Row.new(spec, i, seed, sizes.context, text) for i in range(spec.num_samples)]
        work.append((spec, seed, prompts[key], rows))
    pending = [(row, prompt) for *_, prompt, rows in work for row in rows if not row.stop_reason]
    for start in range(0, len(pending), MAX_ROWS):
        _grow(matrices, sizes, pending[start : start + MAX_ROWS])
    return [decoding.result(spec, prompt, rows, seed) for spec, seed, prompt, rows in work]


@frozen(kw_only=True)
class _Prompt:
    """A prompt's scores [T, vocab], and by layer its keys and values [heads, T, head_width]."""

    tokens: npt.NDArray[np.int64]
    all_scores: Scores
    keys: list[Matrix]
    values: list[Matrix]

    def logprobs(self, rows: Ids, tokens: Ids) -> Scores:
        scores: Scores = self.all_scores[rows, tokens]
        return scores

    def scores(self, first: int) -> Iterator[Scores]:
        yield self.all_scores[first:-1]


class _Cache:
    """Keys and values of growing sequences: by layer [rows, heads, capacity, head_width]."""

    def __init__(self, prompts: Sequence[_Prompt], sizes: Sizes) -> None:
        self.lengths = np.array([len(prompt.tokens) for prompt in prompts])
        shape = (len(prompts), sizes.heads, int(self.lengths.max()) + 32, sizes.head_width)
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
        """Add one position to each row, and attend from it to its whole row."""
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
    """Score each prompt alone, so that its numbers cannot depend on the batch."""
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
    return _Prompt(tokens=tokens, all_scores=scores, keys=keys, values=values)


def _grow(matrices: Matrices, sizes: Sizes, pending: Sequence[tuple[Row, _Prompt]]) -> None:
    """Sample the rows to their ends."""
    rows = [row for row, _ in pending]
    cache = _Cache([prompt for _, prompt in pending], sizes)
    scores = np.stack([prompt.all_scores[-1] for _, prompt in pending])
    while True:
        order, best = decoding.ranked(scores)
        ranks, drawn, _ = decoding.draw(best, rows)
        tokens = order[np.arange(len(rows)), ranks]
        for i, row in enumerate(rows):
            if row.stop_reason is None:
                k = row.spec.topk_sample_logprobs
                topk = decoding.best(scores[i], k) if k else None
                row.append(int(tokens[i]), float(scores[i, tokens[i]]), float(drawn[i]), topk)
        growing = [i for i, row in enumerate(rows) if row.stop_reason is None]
        if not growing:
            return
        # Finished rows continue, unread, until half are finished: removing rows copies the caches.
        if 2 * len(growing) <= len(rows):
            rows, tokens = [rows[i] for i in growing], tokens[growing]
            cache.keep(growing)
        cache.reserve()
        scores = network.log_probs(
            matrices, sizes, tokens[:, None], cache.lengths[:, None], cache.attend
        )
        cache.lengths = np.minimum(cache.lengths + 1, sizes.context - 1)
