"""Saving, loading and describing checkpoints."""

from __future__ import annotations

import time
from typing import Any

from tinker_local import checkpoints
from tinker_local.backend import Backend, Call, digest_of
from tinker_local.errors import Refusal
from tinker_local.handlers.models import begin_model
from tinker_local.handlers.sessions import open_session
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
    checkpoint = backend.catalog.readable(path, call.user)
    if checkpoint["kind"] != "weights":
        raise Refusal(400, f"{path} is not a training checkpoint (…/weights/…)")
    facts = {
        "base_model": checkpoint["facts"]["base_model"],
        "lora": checkpoint["facts"]["lora"],
        "user_metadata": call.body.get("user_metadata"),
    }
    return begin_model(backend, call, "load_weights", facts)


async def save_weights_external(backend: Backend, call: Call) -> dict[str, Any]:
    if call.body.get("age_encryption_recipients"):
        raise Refusal(400, "age_encryption_recipients: this server does not encrypt")
    return submit_json(backend, call, "save_weights_external")


async def copy_weights(backend: Backend, call: Call) -> dict[str, Any]:
    if call.headers.get("x-tinker-weights-access-token") or call.body.get("weights_access_token"):
        raise Refusal(403, "This server gives out no weights access tokens, and so takes none")
    key = call.headers.get("x-idempotency-key")
    digest = digest_of("copy_weights", call)
    if key is not None:
        for known in backend.store.select(
            "SELECT * FROM copies WHERE key = ?", f"{call.user} {key}"
        ):
            if known["digest"] != digest:
                raise Refusal(409, "X-Idempotency-Key was used by a different request")
            return {"tinker_path": known["path"]}
    source = backend.catalog.readable(call.body["source_path"], call.user)
    with backend.store.transaction():
        model_id = _run_of_copies(backend, call, source)
        ttl = call.body.get("ttl_seconds")
        path = backend.catalog.copy(source, model_id, call.user, ttl)
        if key is not None:
            backend.store.insert("copies", key=f"{call.user} {key}", digest=digest, path=path)
    return {"tinker_path": path}


def _run_of_copies(backend: Backend, call: Call, source: Row) -> str:
    """A training run to hold a copy: it has no adapter, and cannot be trained itself."""
    session_id, number = call.body.get("session_id"), call.body.get("model_seq_id")
    if (session_id is None) != (number is None):
        raise Refusal(400, "Give session_id and model_seq_id together, or neither")
    if session_id is None:
        facts = {"tags": ["copy"], "project_id": call.body.get("destination_project_id")}
        session_id, number = open_session(backend, call.user, facts), 0
        backend.store.finish_session(session_id, {"reason": {"type": "success"}, "detail": "copy"})
    else:
        backend.open_session(session_id, call.user)
    model_id = f"{session_id}:train:{int(number)}"
    if backend.store.get("models", model_id) is not None:
        raise Refusal(409, f"model_seq_id {int(number)} was used by a different request")
    now = time.time()
    facts = {"base_model": source["facts"]["base_model"], "lora": source["facts"]["lora"]}
    backend.store.insert(
        "models",
        id=model_id,
        session_id=session_id,
        owner=call.user,
        created=now,
        seen=now,
        facts=facts,
        ready=1,
        unloaded=1,
    )
    return model_id


async def weights_info(backend: Backend, call: Call) -> dict[str, Any]:
    path = call.body["tinker_path"]
    facts = backend.catalog.readable(path, call.user)["facts"]
    return {
        "base_model": facts["base_model"],
        "is_lora": True,
        "lora_rank": facts["lora"]["rank"],
        "train_unembed": facts["lora"]["train_unembed"],
        "train_mlp": facts["lora"]["train_mlp"],
        "train_attn": facts["lora"]["train_attn"],
        "optimizer_config": {"type": "adamw"},
    }
