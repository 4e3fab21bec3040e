"""The loss of a batch of examples, and its gradient by the adapter's factors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from autograd import make_vjp

from tinker_local.engine import evaluation, losses
from tinker_local.engine.base import EngineError, Example, LossResult, ModelSpec, Tensors
from tinker_local.engine.tiny import lora, network
from tinker_local.engine.tiny.base_model import Matrices, Sizes

BATCH_TOKENS = 2048
"""Maximum number of tokens of examples that are computed together: enough to keep the processor busy,
few enough to bound the memory for any batch."""


def loss_and_gradient(
    base: Matrices,
    sizes: Sizes,
    model: ModelSpec,
    factors: Matrices,
    data: Sequence[Example],
    *,
    loss_fn: str,
    config: Mapping[str, Any],
    backward: bool,
) -> tuple[LossResult, Tensors]:
    """The loss and, with `backward`, its gradient by every factor (else no gradients).

    Raises EngineError for mistakes of the caller, and if the result is not finite.
    """
    loss, settings = losses.resolve(loss_fn, config)
    examples = evaluation.prepare(data, loss, settings, model)
    names = lora.adapted(factors)
    merges = [
        make_vjp(lora.merge, (1, 2))(base[n], factors[f"{n}.lora_A"], factors[f"{n}.lora_B"])
        for n in names
    ]
    matrices = [matrix for _, matrix in merges]
    sums = [np.zeros_like(matrix) for matrix in matrices]
    values: dict[int, evaluation.Evaluated] = {}
    # Overflow is found in the results and reported to the caller.
    with np.errstate(all="ignore"):
        for indices in _batches([len(example.tokens) for example in examples]):
            batch = [examples[i] for i in indices]
            forward = _target_log_probs(base, sizes, names, batch)
            if backward:
                pull_back, logp = make_vjp(forward, tuple(range(len(names))))(*matrices)
            else:
                logp = forward(*matrices)
            edges = np.cumsum([example.targets.size for example in batch])[:-1]
            for i, example, part in zip(indices, batch, np.split(logp, edges), strict=True):
                values[i] = evaluation.evaluate(i, loss, part, example)
            if backward:
                gradient = np.concatenate([values[i][1].gradient.ravel() for i in indices])
                parts = pull_back(gradient.astype(logp.dtype))
                sums = [total + part for total, part in zip(sums, parts, strict=True)]
    grads: Tensors = {}
    if backward:
        for name, (pull_back, _), total in zip(names, merges, sums, strict=True):
            if not np.isfinite(total).all():
                raise EngineError("the gradient is not finite")
            grads[f"{name}.lora_A"], grads[f"{name}.lora_B"] = pull_back(total)
    return evaluation.collect(loss, [values[i] for i in range(len(examples))]), grads


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of examples to compute together: one padded length each, shortest first."""
    padded = [_padded(length) for length in lengths]
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (padded[i], i)):
        if batch and (padded[i] != padded[batch[0]] or (len(batch) + 1) * padded[i] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(i)
    yield batch


def _padded(length: int) -> int:
    step = 8 if length <= network.BLOCK else 64
    return -(-length // step) * step


def _target_log_probs(
    base: Matrices, sizes: Sizes, names: Sequence[str], batch: Sequence[evaluation.Prepared]
) -> Any:
    """A function from the adapted matrices to the log-probabilities of all targets, flat."""
    length = _padded(max(len(example.tokens) for example in batch))
    tokens = np.zeros((len(batch), length), dtype=np.int64)
    rows = []
    for i, example in enumerate(batch):
        # Attention is causal, so padding with zeros cannot affect an example.
        tokens[i, : len(example.tokens)] = example.tokens
        at = i * length + np.arange(len(example.tokens))
        rows.append(np.repeat(at, example.targets.size // len(at)))
    where = np.concatenate(rows), np.concatenate([example.targets.ravel() for example in batch])

    def forward(*matrices: Any) -> Any:
        weights = {**base, **dict(zip(names, matrices, strict=True))}
        positions = np.arange(length)
        out = network.log_probs(weights, sizes, tokens, positions, network.causal_attention)
        return out[where]

    return forward
