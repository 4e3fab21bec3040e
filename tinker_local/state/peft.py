"""Adapters in the format of PEFT and programs that work with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.numpy

from tinker_local.engine.base import AdapterState, EngineError, LoraSpec, Tensors

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


def read(folder: Path, base_model: str) -> AdapterState:
    """Read an adapter in PEFT's format; the engine checks whether it fits the model.

    Raises EngineError if the folder has no adapter, or one of a type that cannot be trained here.
    """
    try:
        given = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        loaded = safetensors.numpy.load_file(folder / "adapter_model.safetensors")
    except FileNotFoundError as error:
        raise EngineError(f"the adapter has no file {Path(error.filename or '').name}") from None
    except (ValueError, safetensors.SafetensorError, TypeError) as error:
        raise EngineError(f"the adapter's files cannot be read: {error}") from None
    return from_peft(given, loaded, base_model)


def from_peft(given: Mapping[str, Any], loaded: Tensors, base_model: str) -> AdapterState:
    """Make an adapter from the content of adapter_config.json and its tensors. Raises EngineError as `read` does."""
    if (kind := given.get("peft_type")) != "LORA":
        raise EngineError(f"the adapter's peft_type is {kind!r}; it must be 'LORA'")
    for name in _NOT_SUPPORTED:
        if given.get(name) and given[name] != "none":
            raise EngineError(f"the adapter has {name} {given[name]!r}, which is not supported")
    rank, alpha = int(given["r"]), float(given["lora_alpha"])
    factors = {name: tensor.astype("float32") for name, tensor in weights(loaded).items()}
    modules = [name.rpartition(".")[0] for name in factors]
    return AdapterState(
        base_model=base_model,
        lora=LoraSpec(
            rank=rank,
            train_attn=any("attn" in name or "attention" in name for name in modules),
            train_mlp=any("mlp" in name or "feed_forward" in name for name in modules),
            train_unembed=any(name.endswith(("lm_head", "embed_out")) for name in modules),
        ),
        alpha=alpha * rank**0.5 if given.get("use_rslora") else alpha,
        weights=factors,
    )


_NOT_SUPPORTED = (
    "bias",
    "use_dora",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "lora_bias",
)
