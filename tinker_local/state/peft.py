"""Adapters in the format of PEFT and programs that work with it."""

from __future__ import annotations

from typing import Any

from tinker_local.engine.base import AdapterState, Tensors

_PREFIX, _SUFFIX = "base_model.model.", ".weight"


def tensors(weights: Tensors) -> Tensors:
    """The factors by PEFT's names, as `base_model.model.layers.0.q_proj.lora_A.weight` [rank, inputs]."""
    return {f"{_PREFIX}{name}{_SUFFIX}": factor for name, factor in weights.items()}


def weights(tensors: Tensors) -> Tensors:
    """The factors by their own names again."""
    return {
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX): tensor for name, tensor in tensors.items()
    }


def config(adapter: AdapterState) -> dict[str, Any]:
    """adapter_config.json. PEFT scales by `lora_alpha / r`, as the engine does."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base_model,
        "r": adapter.lora.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted({name.split(".")[-2] for name in adapter.weights}),
        "inference_mode": True,
    }
