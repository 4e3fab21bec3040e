"""What training costs on the hosted service, from a table with a date. No route of the API gives prices."""

from __future__ import annotations

from datetime import date

from attrs import frozen

AS_OF = date(2026, 10, 7)
"""The day on which the table was true, as third parties copied it from the service's price list."""


@frozen
class Price:
    """US dollars for a million tokens."""

    prefill: float
    sample: float
    train: float | None = None
    """None where the table has no training price."""


PRICES: dict[str, Price] = {
    "thinkingmachines/Inkling": Price(1.87, 4.68, 5.61),
    "thinkingmachines/Inkling:peft:262144": Price(3.74, 9.36),
    "thinkingmachines/Inkling-Small": Price(0.58, 1.44),
    "thinkingmachines/Inkling-Small:peft:262144": Price(1.16, 2.89),
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": Price(2.49, 6.225),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": Price(0.57, 1.44),
    "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16": Price(0.195, 0.495),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": Price(0.195, 0.495),
    "moonshotai/Kimi-K2.6": Price(2.205, 5.49),
    "Qwen/Qwen3.8-27B": Price(1.86, 5.595),
    "Qwen/Qwen3.6-35B-A3B": Price(0.54, 1.335),
    "Qwen/Qwen3.6-27B": Price(1.86, 5.595),
    "Qwen/Qwen3.5-397B-A17B": Price(3.00, 7.50),
    "Qwen/Qwen3.5-35B-A3B-Base": Price(0.54, 1.335),
    "Qwen/Qwen3.5-9B": Price(0.66, 1.995),
    "Qwen/Qwen3.5-9B-Base": Price(0.66, 1.995),
    "Qwen/Qwen3.5-4B": Price(0.33, 1.00),
    "Qwen/Qwen3-8B": Price(0.195, 0.60),
    "openai/gpt-oss-120b": Price(0.33, 0.84),
    "openai/gpt-oss-20b": Price(0.18, 0.45),
    "deepseek-ai/DeepSeek-V3.1": Price(1.695, 4.215),
}

_TRAIN_TO_PREFILL = 3.0
"""Forward and backward passes cost three forward passes; the one published training price is three prefill prices."""


def training_cost(base_model: str, tokens: int) -> float | None:
    """Estimated US dollars for training on that many tokens, or None for a model that the table does not have."""
    price = PRICES.get(base_model)
    if price is None:
        return None
    per_million = price.train if price.train is not None else _TRAIN_TO_PREFILL * price.prefill
    return tokens * per_million / 1e6
