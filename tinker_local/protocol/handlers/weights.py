"""Saving, loading and describing checkpoints."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from tinker_local.errors import Refusal
from tinker_local.protocol.backend import IDEMPOTENCY_KEY, Backend, Call, digest_of, reused
from tinker_local.protocol.handlers.models import begin_model
from tinker_local.protocol.handlers.sessions import open_session, project_of
from tinker_local.protocol.handlers.training import submit_json
from tinker_local.protocol.operations.checkpoints import unfit_for_training
from tinker_local.state import checkpoints, encryption
from tinker_local.state.checkpoints import Location
from tinker_local.state.store import Row


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
    if why := unfit_for_training(backend.catalog, checkpoint, with_moments=call.body["optimizer"]):
        raise Refusal(400, why)
    facts = {
        "base_model": checkpoint["facts"]["base_model"],
        "lora": checkpoint["facts"]["lora"],
        "user_metadata": call.body.get("user_metadata"),
    }
    return begin_model(backend, call, "load_weights", facts)


async def save_weights_external(backend: Backend, call: Call) -> dict[str, Any]:
    recipients = call.body.get("age_encryption_recipients")
    if recipients:
        encryption.check(recipients)
    return submit_json(backend, call, "save_weights_external")


async def copy_weights(backend: Backend, call: Call) -> dict[str, Any]:
    if call.headers.get("x-tinker-weights-access-token") or call.body.get("weights_access_token"):
        raise Refusal(
            403, "This server does not issue weights access tokens, so it cannot accept one"
        )
    key = call.idempotency_key
    digest = digest_of("copy_weights", call)
    known = _known_copy(backend, call.user, key, digest)
    if known is not None:
        return {"tinker_path": known}
    source = backend.catalog.readable(call.body["source_path"], call.user, may_be_early=True)
    session_id, number = _place_of_copy(backend, call)
    location = Location(f"{session_id}:train:{number}", source["kind"], source["name"])
    try:
        folder = await asyncio.to_thread(backend.catalog.files.copy, source["folder"], location)
    except FileNotFoundError:
        raise Refusal(404, f"Unknown checkpoint: {source['path']}") from None
    try:
        with backend.store.transaction():
            known = _known_copy(
                backend, call.user, key, digest
            )  # by another attempt, in the meantime
            if known is None:
                _add_run_of_copy(backend, call, source, session_id, number)
                ttl, copied_from = call.body.get("ttl_seconds"), source["path"]
                backend.catalog.add(
                    location,
                    folder,
                    call.user,
                    source["facts"],
                    ttl_seconds=ttl,
                    event="checkpoint_copied",
                    source_path=copied_from,
                )
                if key is not None:
                    path = location.path
                    backend.store.insert(
                        "copies", key=f"{call.user} {key}", digest=digest, path=path
                    )
    except BaseException:
        backend.catalog.discard(folder)
        raise
    if known is None:
        backend.scheduler.model(location.model_id, 1)
    else:
        backend.catalog.discard(folder)
    return {"tinker_path": known or location.path}


def _known_copy(backend: Backend, user: str, key: str | None, digest: bytes) -> str | None:
    """The copy that an earlier attempt of this call made."""
    query = "SELECT * FROM copies WHERE key = ?"
    for known in backend.store.select(query, f"{user} {key}") if key is not None else ():
        if known["digest"] != digest:
            raise reused(IDEMPOTENCY_KEY)
        path: str = known["path"]
        return path
    return None


def _place_of_copy(backend: Backend, call: Call) -> tuple[str, int]:
    """The session of a copy, and the number of its training run; a new session unless the request has one."""
    session_id, number = call.body.get("session_id"), call.body.get("model_seq_id")
    if (session_id is None) != (number is None):
        raise Refusal(400, "Give session_id and model_seq_id together, or neither")
    if session_id is None:
        return str(uuid.uuid4()), 0
    session = backend.open_session(session_id, call.user)
    project = call.body.get("destination_project_id")
    if project not in (None, project_of(session)):
        raise Refusal(
            400, f"destination_project_id is {project}; the session is in {project_of(session)}"
        )
    if backend.store.get("models", f"{session_id}:train:{int(number)}") is not None:
        raise reused(f"model_seq_id {int(number)}")
    return session_id, int(number)


def _add_run_of_copy(
    backend: Backend, call: Call, source: Row, session_id: str, number: int
) -> None:
    project = call.body.get("destination_project_id")
    reason = "copy" if call.body.get("session_id") is None else None
    add_run_for(
        backend, call.user, source["facts"], session_id, number, reason=reason, project=project
    )


def add_run_for(
    backend: Backend,
    user: str,
    facts: dict[str, Any],
    session_id: str,
    number: int,
    *,
    reason: str | None,
    project: str | None,
) -> None:
    """A training run that holds a checkpoint: it has no adapter and cannot be trained.

    With a `reason`, in a new session.
    """
    if reason is not None:
        open_session(backend, user, {"tags": [reason], "project_id": project}, session_id)
        finish = {"reason": {"type": "success"}, "detail": reason, "time": backend.store.now()}
        backend.store.finish_session(session_id, finish)
    model_id = f"{session_id}:train:{number}"
    if backend.store.get("models", model_id) is not None:
        raise reused(f"model_seq_id {number}")
    now = backend.store.now()
    backend.store.insert(
        "models",
        id=model_id,
        session_id=session_id,
        owner=user,
        created=now,
        seen=now,
        facts={"base_model": facts["base_model"], "lora": facts["lora"]},
        ready=1,
        unloaded=1,
        next_seq_id=1,
    )


async def weights_info(backend: Backend, call: Call) -> dict[str, Any]:
    path = call.body["tinker_path"]
    facts = backend.catalog.readable(path, call.user, may_be_early=True)["facts"]
    return {
        "base_model": facts["base_model"],
        "is_lora": True,
        "lora_rank": facts["lora"]["rank"],
        "train_unembed": facts["lora"]["train_unembed"],
        "train_mlp": facts["lora"]["train_mlp"],
        "train_attn": facts["lora"]["train_attn"],
        "optimizer_config": {"type": "adamw"},
    }
