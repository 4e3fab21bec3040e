"""Saving, loading and describing checkpoints."""

from __future__ import annotations

import time
from typing import Any

from tinker_local import checkpoints
from tinker_local.backend import Backend, Call
from tinker_local.errors import Refusal
from tinker_local.handlers.models import begin_model
from tinker_local.handlers.training import submit_json
from tinker_local.store import Row


async def save_weights(backend: Backend, call: Call) -> dict[str, Any]:
    return submit_json(backend, call, "save_weights")


async def save_weights_for_sampler(backend: Backend, call: Call) -> dict[str, Any]:
    if call.body.get("path") is None and call.body.get("sampling_session_seq_id") is None:
        raise Refusal(
            400, "Give path (a name), or sampling_session_seq_id for an ephemeral sampler"
        )
    # A repeated request may carry a new number for its ephemeral sampler.
    return submit_json(backend, call, "save_weights_for_sampler", "sampling_session_seq_id")


async def load_weights(backend: Backend, call: Call) -> dict[str, Any]:
    path = call.body["path"]
    if checkpoints.parse(path) is None:
        raise Refusal(400, f"Invalid checkpoint tinker path: {path}")
    if call.body.get("model_id") is not None:
        return submit_json(backend, call, "load_weights")
    if call.body.get("session_id") is None or call.body.get("model_seq_id") is None:
        raise Refusal(400, "Give model_id, or session_id and model_seq_id")
    checkpoint = find(backend, path, call.user)
    if checkpoint["kind"] != "weights":
        raise Refusal(400, f"{path} is a sampler checkpoint; training goes on from weights")
    facts = {
        "base_model": checkpoint["facts"]["base_model"],
        "lora": checkpoint["facts"]["lora"],
        "user_metadata": call.body.get("user_metadata"),
    }
    return begin_model(backend, call, "load_weights", facts)


async def weights_info(backend: Backend, call: Call) -> dict[str, Any]:
    path = call.body["tinker_path"]
    if checkpoints.parse(path) is None:
        raise Refusal(400, f"Invalid checkpoint tinker path: {path}")
    facts = find(backend, path, call.user)["facts"]
    return {
        "base_model": facts["base_model"],
        "is_lora": True,
        "lora_rank": facts["lora"]["rank"],
        "train_unembed": facts["lora"]["train_unembed"],
        "train_mlp": facts["lora"]["train_mlp"],
        "train_attn": facts["lora"]["train_attn"],
        "optimizer_config": {"type": "adamw"},
    }


def find(backend: Backend, path: str, user: str) -> Row:
    """A checkpoint that exists, has not expired, and is the user's or public."""
    row = backend.store.get("checkpoints", path)
    if row is None or (row["expires"] is not None and row["expires"] < time.time()):
        raise Refusal(404, f"Unknown checkpoint: {path}")
    if row["owner"] != user and not row["public"]:
        raise Refusal(403, "You do not have access to this checkpoint")
    return row
