"""Samplers and sampling."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tinker_local import checkpoints
from tinker_local.backend import Backend, Call, digest_of
from tinker_local.errors import Refusal
from tinker_local.handlers.weights import find


async def create_sampling_session(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.body["session_id"]
    number = int(call.body["sampling_session_seq_id"])
    sampler_id = f"{session_id}:sample:{number}"
    answer = {"type": "create_sampling_session", "sampling_session_id": sampler_id}
    backend.own("sessions", "session_id", session_id, call.user)
    known = backend.store.get("samplers", sampler_id)
    if known is not None:
        asked = call.body.get("base_model"), call.body.get("model_path")
        path = known["model_path"]
        given = (None, path) if path is not None else (known["base_model"], None)
        if asked != given or known["model_id"] is not None:
            raise Refusal(409, f"sampling_session_seq_id {number} was used by a different request")
        return answer
    base_model, model_path = _source(backend, call)
    backend.open_session(session_id, call.user)
    backend.store.insert(
        "samplers",
        id=sampler_id,
        session_id=session_id,
        owner=call.user,
        created=time.time(),
        base_model=base_model,
        model_path=model_path,
    )
    return answer


def _source(backend: Backend, call: Call) -> tuple[str, str | None]:
    """What to sample from: a base model, or a checkpoint and its base model."""
    base_model, model_path = call.body.get("base_model"), call.body.get("model_path")
    if (base_model is None) == (model_path is None):
        raise Refusal(400, "Give either base_model or model_path")
    if model_path is None:
        backend.check_base_model(base_model)
        return base_model, None
    if checkpoints.parse(model_path) is None:
        raise Refusal(400, f"Invalid checkpoint tinker path: {model_path}")
    return find(backend, model_path, call.user)["facts"]["base_model"], model_path


async def get_sampler(backend: Backend, call: Call) -> dict[str, Any]:
    sampler = backend.own("samplers", "sampler_id", call.parameters["sampler_id"], call.user)
    return {
        "sampler_id": sampler["id"],
        "base_model": sampler["base_model"],
        "model_path": sampler["model_path"],
    }


async def asample(backend: Backend, call: Call) -> dict[str, Any]:
    sampler_id = call.body.get("sampling_session_id")
    if sampler_id is None:
        base_model, model_path = _source(backend, call)
        target, request_id = model_path or base_model, str(uuid.uuid4())
        digest = b""
    else:
        backend.own("samplers", "sampling_session_id", sampler_id, call.user)
        seq_id = call.body.get("seq_id")
        number = uuid.uuid4().hex if seq_id is None else int(seq_id)
        target, request_id = sampler_id, f"{sampler_id}:{number}"
        digest = digest_of("asample", call)
    count = int(call.body.get("num_samples") or 1)
    promise = {
        "request_id": request_id,
        "sample_sequence_ids": [f"{request_id}:{index}" for index in range(count)],
    }
    if sampler_id is None or not backend.repeated(request_id, digest, "seq_id"):
        backend.promise(call, "asample", target, request_id, seq_id=None, digest=digest)
    return promise
