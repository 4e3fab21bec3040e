"""Creates and unloads models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tinker_local.engine.base import LoraSpec
from tinker_local.protocol.operations.outcome import Context, Outcome, json_outcome


def create_model(context: Context, model_id: str, body: Mapping[str, Any]) -> Outcome:
    lora = body["lora_config"]
    spec = LoraSpec(
        rank=int(lora["rank"]),
        seed=None if lora.get("seed") is None else int(lora["seed"]) % 2**63,
        train_unembed=lora.get("train_unembed", True),
        train_mlp=lora.get("train_mlp", True),
        train_attn=lora.get("train_attn", True),
    )
    adapter = context.engine.new_adapter(body["base_model"], spec)
    return json_outcome(
        {"type": "create_model", "model_id": model_id},
        context.adapters.create(model_id, adapter),
        adapter,
    )


def unload_model(context: Context, model_id: str, body: Mapping[str, Any]) -> Outcome:
    context.adapters.forget(model_id)
    return json_outcome(
        {"type": "unload_model", "model_id": model_id},
        partial(context.adapters.delete, model_id),
    )
