"""From hidden states to log-probabilities, a part of the rows at a time: a row of logits is as wide as the
vocabulary, and all rows together are often larger than everything else.

The gradient recomputes the logits, but only of rows whose log-probabilities the loss depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from tinker_local.engine.hf.folder import ModelError
from tinker_local.engine.hf.lora import HfAdapter
from tinker_local.engine.hf.model import BaseModel

PIECE = 2**25
"""Number of logits computed at a time."""


@frozen(eq=False)
class Head:
    """The unembedding with an adapter's factors, in the model's precision; `a` and `b` are None if it has none."""

    weight: Tensor
    bias: Tensor | None
    a: Tensor | None
    b: Tensor | None
    scale: float
    softcap: float | None

    @classmethod
    def of(cls, model: BaseModel, adapter: HfAdapter | None) -> Head:
        matrix = model.matrices[model.head]
        factors = adapter.weights if adapter else {}
        return cls(
            matrix.weight,
            matrix.bias,
            factors.get(f"{model.head}.lora_A"),
            factors.get(f"{model.head}.lora_B"),
            adapter.scale if adapter else 1.0,
            model.softcap,
        )

    def logits(self, hidden: Tensor) -> Tensor:
        """Of rows [N, width]: float32 [N, vocab]."""
        logits = torch.nn.functional.linear(hidden, self.weight, self.bias)
        if self.a is not None and self.b is not None:
            logits.addmm_(hidden @ self.a.T, self.b.T, alpha=self.scale)
        logits = logits.float()
        if self.softcap is not None:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return logits

    def log_probs(self, hidden: Tensor) -> Tensor:
        """Of all tokens: float32 [N, vocab]."""
        return self.logits(hidden).log_softmax(-1)


def of_targets(head: Head, hidden: Tensor, targets: Tensor) -> Tensor:
    """The log-probabilities of targets [N, K] at rows [N, width]: float32 [N, K], differentiable."""
    result: Tensor = _TargetLogProbs.apply(
        hidden, targets, head, *(one for one in (head.a, head.b) if one is not None)
    )
    return result


def pieces(rows: int, vocabulary: int) -> Iterator[slice]:
    size = max(1, PIECE // vocabulary)
    return (slice(start, start + size) for start in range(0, rows, size))


class _TargetLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, targets: Tensor, head: Head, *factors: Tensor) -> Tensor:
        found = torch.empty(targets.shape, dtype=torch.float32, device=hidden.device)
        totals = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        for piece in pieces(len(hidden), len(head.weight)):
            logits = head.logits(hidden[piece])
            totals[piece] = logits.logsumexp(-1)
            found[piece] = logits.gather(1, targets[piece]) - totals[piece, None]
        ctx.save_for_backward(hidden, targets, totals)
        ctx.head = head
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), head = gradients, ctx.head
        hidden, targets, totals = ctx.saved_tensors
        by_hidden = torch.zeros_like(hidden)
        by_factors: list[Tensor] = []
        if head.a is not None:
            by_factors = [torch.zeros_like(one, dtype=torch.float32) for one in (head.a, head.b)]
        rows = gradient.ne(0).any(1).nonzero()[:, 0]
        for piece in pieces(len(rows), len(head.weight)):
            at = rows[piece]
            x, g = hidden[at], gradient[at]
            by_logits = head.logits(x)
            slope = None if head.softcap is None else 1 - (by_logits / head.softcap) ** 2
            by_logits.sub_(totals[at, None]).exp_().mul_(-g.sum(1, keepdim=True))
            by_logits.scatter_add_(1, targets[at], g)
            if slope is not None:
                by_logits.mul_(slope)
            by_logits = by_logits.to(x.dtype)
            by_x = by_logits @ head.weight
            if by_factors:
                by_low = (by_logits @ head.b) * head.scale
                by_x.addmm_(by_low, head.a)
                by_factors[0] += (by_low.T @ x).float()
                by_factors[1] += (by_logits.T @ (x @ head.a.T)).float() * head.scale
            by_hidden[at] = by_x
        return by_hidden, None, None, *(one.to(x.dtype) for one in by_factors)


@torch.no_grad()
def check(model: BaseModel) -> None:
    """Raise ModelError if the model computes its logits differently from `Head`."""
    tokens = torch.arange(4, device=model.device)[None]
    refused = f"{model.spec.name} ({model.spec.arch}) cannot be offered: "
    expected = model.network(input_ids=tokens, use_cache=False).logits[0].float()
    hidden = model.hidden(input_ids=tokens).last_hidden_state[0]
    if not expected.isfinite().all():
        raise ModelError(
            f"{refused}its logits are not finite in {model.dtype}".replace("torch.", "")
        )
    if not torch.allclose(Head.of(model, None).logits(hidden), expected, rtol=1e-2, atol=1e-2):
        raise ModelError(
            f"{refused}its logits are more than the unembedding of its last hidden state"
        )
