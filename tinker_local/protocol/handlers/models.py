"""Training runs."""

from __future__ import annotations

from typing import Any

from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call, digest_of, reused, unload_id
from tinker_local.state.store import Row


async def create_model(backend: Backend, call: Call) -> dict[str, Any]:
    backend.check_base_model(call.body["base_model"])
    lora = call.body.get("lora_config")
    if lora is None:
        raise Refusal(400, "lora_config is missing: this server trains adapters, not whole models")
    check_lora(lora)
    optimizer = (call.body.get("optimizer_config") or {"type": "adamw"})["type"]
    if optimizer != "adamw":
        raise Refusal(400, f"The optimizer {optimizer!r} is not supported; expected adamw")
    facts = {
        "base_model": call.body["base_model"],
        "lora": lora,
        "user_metadata": call.body.get("user_metadata"),
    }
    return begin_model(backend, call, "create_model", facts)


def check_lora(lora: dict[str, Any]) -> None:
    """Reject an adapter that the hosted service rejects."""
    rank = int(lora["rank"])
    if rank & (rank - 1):
        raise Refusal(400, f"lora_config: rank is {rank}; it must be a power of two")
    if not any(lora.get(name, True) for name in ("train_unembed", "train_mlp", "train_attn")):
        raise Refusal(400, "lora_config: train_unembed, train_mlp and train_attn are all false")


def begin_model(
    backend: Backend, call: Call, operation: str, facts: dict[str, Any]
) -> dict[str, Any]:
    """Promise a new model; its creation counts as seq_id 0."""
    session_id = call.body["session_id"]
    number = int(call.body["model_seq_id"])
    model_id = f"{session_id}:train:{number}"
    request_id = f"{model_id}:0"
    session = backend.own("sessions", "session_id", session_id, call.user)
    digest = digest_of(operation, call)
    promise = {"request_id": request_id, "model_id": model_id}
    if backend.repeated(request_id, digest, f"model_seq_id {number}"):
        return promise
    if backend.store.get("models", model_id) is not None:  # it holds a copy
        raise reused(f"model_seq_id {number}")
    if session["finish"] is not None:
        raise Refusal(410, f"The session {session_id} is finished")
    now = backend.store.now()
    model = {
        "session_id": session_id,
        "owner": call.user,
        "created": now,
        "seen": now,
        "facts": facts,
    }
    backend.promise(call, operation, model_id, request_id, seq_id=0, digest=digest, new_model=model)
    return promise


async def get_info(backend: Backend, call: Call) -> dict[str, Any]:
    model = backend.own("models", "model_id", call.body["model_id"], call.user)
    name = model["facts"].get("base_model")
    if name is None:
        raise Refusal(404, f"The model {model['id']} is not loaded yet")
    spec = backend.engine.models[name]
    return {
        "type": "get_info",
        "model_id": model["id"],
        "model_data": {
            "arch": spec.arch,
            "model_name": spec.name,
            "tokenizer_id": spec.tokenizer_id,
        },
        "optimizer_config": {"type": "adamw"},
        "is_lora": True,
        "lora_rank": int(model["facts"]["lora"]["rank"]),
        "model_name": spec.name,
        **_place(backend, model),
    }


def _place(backend: Backend, model: Row) -> dict[str, int]:
    """Where the numbers of a run's operations have come to, if it takes more of them."""
    if backend.is_unloaded(model):
        return {}
    return {
        "next_seq_id": backend.scheduler.first_missing(model["id"]),
        "last_seq_id": backend.scheduler.last_seq_id(model["id"]),
    }


async def unload_model(backend: Backend, call: Call) -> dict[str, Any]:
    model = backend.own("models", "model_id", call.body["model_id"], call.user)
    request_id = unload_id(model["id"])
    if not backend.repeated(request_id, b"", "unload"):
        backend.promise(call, "unload_model", model["id"], request_id, seq_id=None, digest=b"")
    return {"request_id": request_id, "model_id": model["id"]}
