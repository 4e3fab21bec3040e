"""Sampling: each prompt is computed once, then all sequences of a batch grow together, one token at each step.

Waiting requests are batched together. transformers' continuous batching, which would let requests join later, has one
seed for all requests and no adapters, so it cannot reproduce a request by its seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from tinker_local.engine import decoding
from tinker_local.engine.base import EngineError, SampleResult, SampleSpec
from tinker_local.engine.decoding import Ids, Row, Scores, Text
from tinker_local.engine.hf import memory
from tinker_local.engine.hf.logprobs import Head, of_targets, pieces
from tinker_local.engine.hf.model import BaseModel

MAX_ROWS = 64
"""Maximum number of sequences that grow together; more wait. Fewer, if their keys and values do not fit the memory."""
BEST = 256
"""Number of tokens that are ranked at first; a draw seldom needs more."""
BINS = 4096
"""Number of bins into which the tokens are put where more are needed."""
BINNED_SHARE = 8
"""The number of rows binned at a time is this many times smaller than for computing logits."""
TINY = 1e-30
SHARE = 0.5
"""Fraction of the free memory for keys and values."""
NO_TEXT = Text(frozenset(), lambda token: b"")


@frozen(eq=False)
class _Request:
    spec: SampleSpec
    seed: int
    rows: list[Row]


@frozen(eq=False)
class _Prompt:
    """A prompt whose hidden states [T, width] are computed."""

    hidden: Tensor
    head: Head

    def logprobs(self, rows: Ids, tokens: Ids) -> Scores:
        device = self.hidden.device
        at = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
        targets = torch.from_numpy(np.ascontiguousarray(tokens)).to(device)[:, None]
        found: Scores = of_targets(self.head, self.hidden[at], targets)[:, 0].cpu().double().numpy()
        return found

    def scores(self, first: int) -> Iterator[Scores]:
        hidden = self.hidden[first:-1]
        for piece in pieces(len(hidden), len(self.head.weight)):
            yield self.head.log_probs(hidden[piece]).cpu().double().numpy()


@torch.inference_mode()
def sample(model: BaseModel, head: Head, specs: Sequence[SampleSpec]) -> list[SampleResult]:
    """Sample every request, with the adapter that is in use."""
    context, text = model.spec.max_context_length, model.text or NO_TEXT
    requests: list[_Request] = []
    for spec in specs:
        seed = decoding.seed_of(spec)
        rows = [Row.new(spec, i, seed, context, text) for i in range(spec.num_samples)]
        requests.append(_Request(spec, seed, rows))
    # Prompts of similar length together, so that there is little padding.
    order = sorted(range(len(specs)), key=lambda i: len(specs[i].prompt))
    results: dict[int, SampleResult] = {}
    for batch in _batches(model, order, requests):
        for i, prompt in zip(batch, _run(model, head, [requests[i] for i in batch]), strict=True):
            request = requests[i]
            results[i] = decoding.result(request.spec, prompt, request.rows, request.seed)
    return [results[i] for i in range(len(specs))]


def _batches(
    model: BaseModel, order: Sequence[int], requests: Sequence[_Request]
) -> Iterator[list[int]]:
    fitting = SHARE * memory.available(model.device) / model.cache_bytes
    batch: list[int] = []
    rows = longest = 0
    for i in order:
        spec = requests[i].spec
        length = len(spec.prompt) + requests[i].rows[0].limit
        longest = max(longest, length)
        together = rows + spec.num_samples
        if batch and (together > MAX_ROWS or together * longest > fitting):
            yield batch
            batch, rows, longest = [], 0, length
        batch.append(i)
        rows += spec.num_samples
    if batch:
        yield batch


def _run(model: BaseModel, head: Head, requests: Sequence[_Request]) -> list[_Prompt]:
    """Sample all rows of the requests to their ends; returns the requests' prompts."""
    from transformers import DynamicCache  # noqa: PLC0415 - takes seconds

    unique: dict[bytes, int] = {}
    for request in requests:
        unique.setdefault(request.spec.prompt.tobytes(), len(unique))
    of_request = [unique[request.spec.prompt.tobytes()] for request in requests]
    tokens = [np.frombuffer(key, np.int64) for key in unique]
    pending = [
        (row, index)
        for request, index in zip(requests, of_request, strict=True)
        for row in request.rows
        if row.stop_reason is None
    ]
    cache = DynamicCache(config=model.network.config)
    hidden, mask = _prefill(model, tokens, cache if pending else None)
    prompts = [_Prompt(hidden[i, -len(one) :], head) for i, one in enumerate(tokens)]
    for start in range(0, len(pending), MAX_ROWS):
        part = pending[start : start + MAX_ROWS]
        own = cache
        if len(pending) > MAX_ROWS:  # one prompt has more samples than grow together
            own = DynamicCache(config=model.network.config)
            hidden, mask = _prefill(model, tokens, own)
        _grow(model, head, own, mask, hidden[:, -1], part)
    return [prompts[index] for index in of_request]


def _prefill(model: BaseModel, prompts: Sequence[Ids], cache: Any) -> tuple[Tensor, Tensor | None]:
    """Compute prompts, padded on the left; returns the hidden states [prompts, longest, width] and the mask
    [prompts, longest] if there is padding."""
    longest = max(map(len, prompts))
    tokens = np.zeros((len(prompts), longest), np.int64)
    mask = np.zeros((len(prompts), longest), np.int64)
    for i, prompt in enumerate(prompts):
        tokens[i, longest - len(prompt) :] = prompt
        mask[i, longest - len(prompt) :] = 1
    inputs: dict[str, Any] = {"input_ids": torch.from_numpy(tokens).to(model.device)}
    padded = None
    if not mask.all():
        padded = torch.from_numpy(mask).to(model.device)
        inputs["attention_mask"] = padded
        inputs["position_ids"] = (padded.cumsum(1) - 1).clamp(min=0)
    output = model.hidden(**inputs, cache=cache)
    return output.last_hidden_state, padded


def _grow(
    model: BaseModel,
    head: Head,
    cache: Any,
    mask: Tensor | None,
    hidden: Tensor,
    pending: Sequence[tuple[Row, int]],
) -> None:
    """Sample the rows to their ends, from the last hidden states [prompts, width] and the cache of their prompts."""
    rows = [row for row, _ in pending]
    keep = torch.tensor([index for _, index in pending], device=model.device)
    lengths = torch.tensor([len(row.spec.prompt) for row in rows], device=model.device)
    cache.batch_select_indices(keep)
    hidden = hidden[keep]
    mask = None if mask is None else mask[keep]
    while True:
        tokens = _draw(head.log_probs(hidden), rows)
        growing = [i for i, row in enumerate(rows) if row.stop_reason is None]
        if not growing:
            return
        # Finished rows continue, unread, until half are finished: removing rows copies the caches.
        if 2 * len(growing) <= len(rows):
            keep = torch.tensor(growing, device=model.device)
            rows, tokens, lengths = [rows[i] for i in growing], tokens[growing], lengths[keep]
            cache.batch_select_indices(keep)
            mask = None if mask is None else mask[keep]
        inputs: dict[str, Any] = {"input_ids": torch.from_numpy(tokens[:, None]).to(model.device)}
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            inputs["attention_mask"] = mask
            inputs["position_ids"] = lengths[:, None]
        output = model.hidden(**inputs, cache=cache)
        hidden = output.last_hidden_state[:, -1]
        lengths = lengths + 1


def _draw(scores: Tensor, rows: Sequence[Row]) -> Ids:
    """Draw a token for each row that grows, from the log-probabilities [rows, vocab]."""
    wanted = max(
        max(1 if row.spec.temperature == 0 else BEST, row.spec.top_k, row.spec.topk_sample_logprobs)
        for row in rows
    )
    best_scores, best_ids = scores.topk(min(wanted, scores.shape[1]))
    temperature = torch.tensor(
        [row.spec.temperature or 1.0 for row in rows], dtype=scores.dtype, device=scores.device
    ).clamp(min=TINY)
    if wanted == 1:
        mass = np.ones(len(rows))
    else:
        weights = (scores - best_scores[:, :1]).div_(temperature[:, None]).exp_()
        mass = weights.sum(1, dtype=_precise(scores)).cpu().double().numpy()
    best, ids = best_scores.cpu().double().numpy(), best_ids.cpu().numpy()
    if not np.isfinite(best[:, 0]).all():
        raise EngineError("the model's log-probabilities are not finite; training has diverged")
    order = np.lexsort((ids, -best))  # of equals the lowest id first
    best, ids = np.take_along_axis(best, order, 1), np.take_along_axis(ids, order, 1)
    ranks, drawn, decided = decoding.draw(best, rows, mass)
    at = np.arange(len(rows)), ranks
    tokens: Ids = ids[at]
    logprobs: Scores = best[at]
    undecided = np.array(
        [i for i, row in enumerate(rows) if not decided[i] and row.stop_reason is None], np.int64
    )
    for piece in pieces(len(undecided), BINNED_SHARE * scores.shape[1]):
        here = undecided[piece]
        tokens[here], logprobs[here], drawn[here] = _draw_from_all(
            scores[here.tolist()], [rows[i] for i in here]
        )
    for i, row in enumerate(rows):
        if row.stop_reason is not None:
            continue
        k = row.spec.topk_sample_logprobs
        topk = None
        if k:
            topk = list(zip(ids[i, :k].tolist(), best[i, :k].tolist(), strict=True))
        row.append(int(tokens[i]), float(logprobs[i]), float(drawn[i]), topk)
    return tokens


def _draw_from_all(scores: Tensor, rows: Sequence[Row]) -> tuple[Ids, Scores, Scores]:
    """The token each row draws from all that temperature and top-p leave, its log-probability, and that in the
    distribution drawn from.

    To rank a whole vocabulary takes longer than all else. So tokens are put into bins by their scores, and only the bin in
    which the sum of the probabilities reaches the drawn number is ranked.
    """
    temperature, top_p, uniform = (
        torch.tensor(values, dtype=_precise(scores), device=scores.device)[:, None]
        for values in (
            [row.spec.temperature for row in rows],
            [row.spec.top_p for row in rows],
            [row.uniform[len(row.tokens)] for row in rows],
        )
    )
    relative = scores - scores.amax(1, keepdim=True)
    divisor = temperature.to(scores.dtype).clamp(min=TINY)
    # Tokens less probable than the last bin's do not count, and would make the others' bins coarse.
    lowest = torch.maximum(relative.amin(1, keepdim=True), -64 * divisor).clamp(max=-TINY)
    bins = (relative * ((BINS - 1) / lowest)).clamp_(max=BINS - 1).long()
    weights = relative.div_(divisor).exp_().to(temperature.dtype)
    mass = weights.new_zeros(len(rows), BINS).scatter_add_(1, bins, weights)
    below = mass.cumsum(1)

    def reach(wanted: Tensor) -> tuple[Ids, Scores]:
        """The most probable tokens that together have this weight: the last of them, and the sum with it."""
        # Rounding must not lead beyond the last bin that has tokens.
        at = torch.searchsorted(below, wanted.minimum(below[:, -1:]))
        row, ids = (bins == at).nonzero(as_tuple=True)
        found = (row, ids, scores[row, ids], weights[row, ids])
        of_row, token_ids, of_token, weight = (one.cpu().numpy() for one in found)
        order = np.lexsort((token_ids, -of_token, of_row))
        edges = np.searchsorted(of_row, np.arange(1, len(rows)))
        before = (below - mass).gather(1, at)[:, 0].tolist()
        tokens, sums = np.zeros(len(rows), np.int64), np.zeros(len(rows))
        for i, (part, limit) in enumerate(
            zip(np.split(order, edges), wanted.tolist(), strict=True)
        ):
            reached = before[i] + weight[part].cumsum(dtype=np.float64)
            last = min(int(np.searchsorted(reached, limit[0])), len(part) - 1)
            tokens[i], sums[i] = token_ids[part[last]], reached[last]
        return tokens, sums

    kept = below[:, -1:]
    if any(row.spec.top_p < 1 for row in rows):
        _, sums = reach(top_p * kept)
        kept = torch.where(top_p < 1, torch.from_numpy(sums).to(kept)[:, None], kept)
    tokens, _ = reach(uniform * kept)
    at = torch.from_numpy(tokens).to(scores.device)[:, None]
    logprobs, drawn = (
        one.gather(1, at)[:, 0].cpu().double().numpy() for one in (scores, weights / kept)
    )
    return tokens, logprobs, np.log(drawn)


def _precise(scores: Tensor) -> torch.dtype:
    return torch.float32 if scores.is_mps else torch.float64  # Apple's GPUs have no other
