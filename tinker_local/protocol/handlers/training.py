"""Operations on a training run, ordered by seq_id."""

from __future__ import annotations

from typing import Any

from tinker._codec import media_types
from tinker_local.errors import Refusal, invalid
from tinker_local.protocol.backend import Backend, Call, digest_of
from tinker_local.protocol.operations.training import loss_id_of


async def forward_backward(backend: Backend, call: Call) -> dict[str, Any]:
    if call.media_type == media_types.PROTOBUF:
        if not call.body.data:
            raise invalid(["body", "data"], "data is empty", "min_items")
        return submit(
            backend, call, "forward_backward", call.body.model_id, call.body.seq_id or None
        )
    return submit_json(backend, call, "forward_backward")


async def forward(backend: Backend, call: Call) -> dict[str, Any]:
    return submit_json(backend, call, "forward")


async def optim_step(backend: Backend, call: Call) -> dict[str, Any]:
    return submit_json(backend, call, "optim_step")


async def create_custom_loss(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.body["session_id"]
    backend.own("sessions", "session_id", session_id, call.user)
    loss_id = loss_id_of(call.body)
    digest = digest_of("create_custom_loss", call)
    if not backend.repeated(loss_id, digest, "custom_loss_seq_id"):
        backend.open_session(session_id, call.user)
        backend.promise(call, "create_custom_loss", session_id, loss_id, seq_id=None, digest=digest)
    return {"request_id": loss_id}


def submit_json(backend: Backend, call: Call, operation: str, *ignored: str) -> dict[str, Any]:
    """Promise an operation whose body is JSON; `ignored` fields may differ in a repeated request."""
    return submit(
        backend, call, operation, call.body["model_id"], call.body.get("seq_id"), *ignored
    )


def submit(
    backend: Backend,
    call: Call,
    operation: str,
    model_id: str,
    seq_id: float | None,
    *ignored: str,
) -> dict[str, Any]:
    """Promise an operation of a model under its seq_id, or under the next one."""
    backend.own("models", "model_id", model_id, call.user)
    scheduler = backend.scheduler
    number = scheduler.last_seq_id(model_id) + 1 if seq_id is None else int(seq_id)
    if not 1 <= number < 2**31:
        raise invalid(["body", "seq_id"], f"{number} is not from 1 to 2147483647", "minimum")
    request_id = f"{model_id}:{number}"
    digest = digest_of(operation, call, *ignored)
    if not backend.repeated(request_id, digest, f"seq_id {number} of {model_id}"):
        backend.live_model(model_id, call.user)
        if number < scheduler.next_seq_id(model_id):
            # Not 409, which some clients retry for minutes although it is final.
            raise Refusal(400, f"seq_id {number} of {model_id} was skipped; it arrived too late")
        backend.store.write(
            "UPDATE models SET seen = ? WHERE id = ?", backend.store.now(), model_id
        )
        backend.promise(call, operation, model_id, request_id, seq_id=number, digest=digest)
    return {"request_id": request_id, "model_id": model_id}
