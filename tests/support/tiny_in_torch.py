"""The tiny engine's network and losses, written again in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinker_local.engine.tiny.base_model import Sizes, base_weights

torch = pytest.importorskip("torch")
F = torch.nn.functional

SIZES = Sizes()
BASE = {name: torch.tensor(w, dtype=torch.float64) for name, w in base_weights(SIZES).items()}


def rotate(x: Any) -> Any:
    """Rotary positions as complex multiplication; x is [heads, length, head_width]."""
    half = x.shape[-1] // 2
    angle = torch.outer(
        torch.arange(x.shape[1], dtype=torch.float64),
        SIZES.rope_base ** (-torch.arange(half, dtype=torch.float64) / half),
    )
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
        torch.ones_like(angle), angle
    )
    return torch.cat([turned.real, turned.imag], dim=-1)


def network(factors: Any, rank: int, tokens: Any) -> Any:
    """Log-probabilities [length, vocab] of one sequence; adapters stay beside their matrices."""

    def linear(x: Any, name: str) -> Any:
        a, b = factors[f"{name}.lora_A"], factors[f"{name}.lora_B"]
        return x @ BASE[name] + 64 / rank * F.linear(F.linear(x, a), b)

    def norm(x: Any) -> Any:
        return F.rms_norm(x, x.shape[-1:], eps=1e-6)

    def heads(x: Any) -> Any:
        return x.view(len(tokens), SIZES.heads, -1).transpose(0, 1)

    def unit(x: Any) -> Any:
        return x / (x.norm(dim=-1, keepdim=True) ** 2 + 1e-6).sqrt()

    x = BASE["embed"][tokens]
    for layer in range(SIZES.layers):
        at = f"layers.{layer}"
        h = norm(x)
        q, k, v = (heads(linear(h, f"{at}.{part}_proj")) for part in "qkv")
        mixed = F.scaled_dot_product_attention(
            rotate(unit(q)), rotate(unit(k)), v, is_causal=True, scale=SIZES.sharpness
        )
        x = x + linear(mixed.transpose(0, 1).reshape(len(tokens), -1), f"{at}.o_proj")
        h = norm(x)
        gated = F.silu(linear(h, f"{at}.gate_proj")) * linear(h, f"{at}.up_proj")
        x = x + linear(gated, f"{at}.down_proj")
    return F.log_softmax(linear(norm(x), "unembed"), dim=-1)


def stable_reinforce(logp: Any, x: Any, kl_estimator: str = "k3", kl_coeff: float = 0.01) -> Any:
    sampled = ~x["drawn_logprobs"].isnan()
    current, old = logp[sampled], x["drawn_logprobs"][sampled]
    kl = {
        "k1": lambda: old - current,
        "k2": lambda: 0.5 * (old - current).square(),
        "k3": lambda: torch.expm1(current - old) + (old - current),
    }[kl_estimator]()
    weight = (current - old).exp().clamp(max=1.0).detach()
    own = -weight * x["advantages"][sampled] * current + kl_coeff * kl
    return torch.zeros_like(logp).masked_scatter(sampled, own)


def _ratio(logp: Any, x: Any) -> Any:
    return torch.exp(logp - x["logprobs"])


def _ppo(logp: Any, x: Any) -> Any:
    ratio, a = _ratio(logp, x), x["advantages"]
    return -torch.minimum(ratio * a, ratio.clamp(0.8, 1.2) * a)


def _dro(logp: Any, x: Any) -> Any:
    return -(logp * x["advantages"] - 0.5 * 0.01 * (logp - x["logprobs"]) ** 2)


def _gspo(logp: Any, x: Any) -> Any:
    a = x["advantages"]
    mean = (logp.detach() - x["logprobs"])[x["sequence_ratio_mask"] != 0].mean()
    sequence = torch.exp(mean + logp - logp.detach())
    return -torch.minimum(sequence * a, sequence.clamp(0.8, 1.2) * a)


FORMULAS: dict[str, Callable[..., Any]] = {
    "cross_entropy": lambda logp, x: -(x["weights"] * logp),
    "importance_sampling": lambda logp, x: -(_ratio(logp, x) * x["advantages"]),
    "ppo": _ppo,
    "cispo": lambda logp, x: -(_ratio(logp, x).clamp(0.0, 4.0).detach() * logp * x["advantages"]),
    "dro": _dro,
    "gspo": _gspo,
    "stable_reinforce": stable_reinforce,
}
"""Losses with their default settings. One that is added here is compared with the real engine's too."""


def loss_of(loss_fn: str, logp: Any, x: Any, **config: Any) -> Any:
    return FORMULAS[loss_fn](logp, x, **config)


def metrics_of(logp: Any, x: Any) -> dict[str, float]:
    """What a loss that reads `logprobs` reports of one example; every target counts as sampled."""
    q, a = x["logprobs"], x["advantages"]
    return {
        "kl:mean": (torch.expm1(logp - q) - (logp - q)).mean().item(),
        "entropy:mean": -q.mean().item(),
        "advantage:mean": a.mean().item(),
    }


def clip_fraction(loss_fn: str, logp: Any, x: Any) -> float:
    """The share of targets with an advantage that a loss clips."""
    low, high = (0.0, 4.0) if loss_fn == "cispo" else (0.8, 1.2)
    log_ratio = logp - x["logprobs"]
    if loss_fn == "gspo":
        log_ratio = log_ratio[x["sequence_ratio_mask"] != 0].mean().expand(len(logp))
    ratio = log_ratio[x["advantages"] != 0].exp()
    return float(((ratio < low) | (ratio > high)).double().mean())
