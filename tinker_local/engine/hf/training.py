"""The loss of a batch of examples, and its gradient by the adapter's factors.

Examples of similar length are computed together, padded on the right to the longest of them. Attention is causal, so
padding cannot affect an example, and no mask is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from attrs import evolve
from torch import Tensor

from tinker_local.engine import evaluation, losses
from tinker_local.engine.base import EngineError, Example, LossResult
from tinker_local.engine.hf import logprobs, lora, memory
from tinker_local.engine.hf.lora import AdaptedMatrices, HfAdapter
from tinker_local.engine.hf.model import BaseModel

_TOKENS = {"cpu": (512, 2048), "mps": (2048, 8192)}
_TOKENS_ELSEWHERE = (16384, 32768)
"""Number of tokens that are computed together, including padding, by device: enough to keep the device busy, and few
enough that padding costs less than another batch. A GPU takes as long for a small batch as for many thousand tokens."""
MAX_PADDING = 0.2
"""Fraction of an example's row that may be padding beyond that."""
SHARE = 0.7
"""Fraction of the free memory for activations."""


def loss_and_gradient(
    model: BaseModel,
    matrices: AdaptedMatrices,
    adapter: HfAdapter,
    data: Sequence[Example],
    *,
    loss_fn: str,
    config: Mapping[str, Any],
    backward: bool,
) -> tuple[LossResult, HfAdapter]:
    """The loss; with `backward`, the returned adapter's gradients include those of this batch.

    Raises EngineError for mistakes of the caller, and if the result is not finite.
    """
    loss, settings = losses.resolve(loss_fn, config)
    examples = evaluation.prepare(data, loss, settings, model.spec)
    values: dict[int, evaluation.Evaluated] = {}
    sums: dict[str, Tensor] = {}
    leaves = lora.in_precision(adapter, model.dtype, gradients=backward)
    for indices, checkpointing in _batches(model, examples):
        batch = [examples[i] for i in indices]
        with (
            torch.set_grad_enabled(backward),
            matrices.using(leaves),
            _Checkpointing(model, checkpointing and backward),
        ):
            logp = _target_log_probs(model, leaves, batch)
            host = logp.detach().cpu().numpy()
            edges = np.cumsum([len(example.tokens) for example in batch])[:-1]
            for i, example, part in zip(indices, batch, np.split(host, edges), strict=True):
                values[i] = evaluation.evaluate(i, loss, part, example)
            if backward:
                _add(sums, leaves, logp, [values[i][1].gradient for i in indices])
    result = evaluation.collect(loss, [values[i] for i in range(len(examples))])
    if not backward:
        return result, adapter
    if adapter.grads:
        torch._foreach_add_(list(sums.values()), [adapter.grads[name] for name in sums])
    if not torch.nn.utils.get_total_norm(sums.values(), math.inf).isfinite():
        raise EngineError("the gradient is not finite")
    return result, evolve(adapter, grads=sums)


def _batches(
    model: BaseModel, examples: Sequence[evaluation.Prepared]
) -> Iterator[tuple[list[int], bool]]:
    """Indices of examples to compute together, longest first, and whether the gradient must recompute activations because
    they do not fit the memory."""
    least, most = _TOKENS.get(model.device.type, _TOKENS_ELSEWHERE)
    fitting = int(SHARE * memory.available(model.device) / model.activation_bytes)
    most = min(most, max(1, fitting))
    shapes = [
        (example.targets.ndim, len(example.tokens), *example.targets.shape[1:])
        for example in examples
    ]
    batch: list[int] = []
    for i in sorted(range(len(examples)), key=lambda i: (shapes[i][::2], -shapes[i][1], i)):
        if batch:
            longest = shapes[batch[0]][1]
            too_many = (len(batch) + 1) * longest > most
            too_short = shapes[i][1] < (1 - MAX_PADDING) * longest and len(batch) * longest >= least
            if shapes[i][::2] != shapes[batch[0]][::2] or too_many or too_short:
                yield batch, shapes[batch[0]][1] > fitting
                batch = []
        batch.append(i)
    yield batch, shapes[batch[0]][1] > fitting


class _Checkpointing:
    """Discard the activations of the layers inside, if enabled: the gradient recomputes them."""

    def __init__(self, model: BaseModel, wanted: bool) -> None:
        self._network = model.network if wanted else None

    def __enter__(self) -> None:
        if self._network is not None:
            _call(self._network, "checkpointing_enable", {"use_reentrant": False})
            self._network.train()  # transformers checkpoints only in this mode

    def __exit__(self, *_: object) -> None:
        if self._network is not None:
            _call(self._network, "checkpointing_disable")
            self._network.eval()


def _call(network: Any, name: str, *arguments: Any) -> None:
    """transformers 5.24 has renamed its methods."""
    method = getattr(network, f"activation_{name}", None) or getattr(network, f"gradient_{name}")
    method(*arguments)


def _target_log_probs(
    model: BaseModel, adapter: HfAdapter, batch: Sequence[evaluation.Prepared]
) -> Tensor:
    """The log-probabilities of all targets, [tokens of all examples, K]."""
    length = max(len(example.tokens) for example in batch)
    tokens = np.zeros((len(batch), length), dtype=np.int64)
    for row, example in zip(tokens, batch, strict=True):
        row[: len(example.tokens)] = example.tokens
    places = np.concatenate([i * length + np.arange(len(e.tokens)) for i, e in enumerate(batch)])
    targets = np.concatenate([e.targets.reshape(len(e.tokens), -1) for e in batch])
    device = model.device
    output = model.hidden(input_ids=torch.from_numpy(tokens).to(device))
    hidden = output.last_hidden_state.flatten(0, 1)
    if len(places) < len(hidden):
        hidden = hidden[torch.from_numpy(places).to(device)]
    head = logprobs.Head.of(model, adapter)
    return logprobs.of_targets(head, hidden, torch.from_numpy(targets).to(device))


def _add(
    sums: dict[str, Tensor], adapter: HfAdapter, logp: Tensor, gradients: Sequence[losses.Values]
) -> None:
    """Add the gradient of a batch, given its gradient by the log-probabilities."""
    by_logp = np.concatenate([one.reshape(-1, logp.shape[1]) for one in gradients])
    parts = torch.autograd.grad(
        logp, list(adapter.weights.values()), torch.from_numpy(by_logp).to(logp)
    )
    if sums:
        torch._foreach_add_(list(sums.values()), parts)
    else:
        sums.update(zip(adapter.weights, (part.float() for part in parts), strict=True))
