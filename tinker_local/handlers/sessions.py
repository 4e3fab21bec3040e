"""Client sessions."""

from __future__ import annotations

import time
import uuid
from typing import Any

from tinker_local.backend import Backend, Call
from tinker_local.errors import Refusal


async def create_session(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = str(uuid.uuid4())
    now = time.time()
    kept = ("tags", "user_metadata", "sdk_version", "project_id", "display_name")
    backend.store.insert(
        "sessions",
        id=session_id,
        owner=call.user,
        created=now,
        seen=now,
        facts={name: call.body.get(name) for name in kept},
    )
    return {
        "type": "create_session",
        "session_id": session_id,
        "info_message": None,
        "warning_message": None,
        "error_message": None,
    }


async def session_heartbeat(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.body["session_id"]
    if backend.store.get("sessions", session_id) is None:
        # 410 is what stops a client's heartbeats; after any other status it goes on for ever.
        raise Refusal(410, f"Unknown session_id: {session_id}")
    session = backend.open_session(session_id, call.user)
    backend.store.write("UPDATE sessions SET seen = ? WHERE id = ?", time.time(), session["id"])
    return {"type": "session_heartbeat"}


async def finish_session(backend: Backend, call: Call) -> dict[str, Any]:
    session = backend.own("sessions", "session_id", call.parameters["session_id"], call.user)
    finish = {"reason": call.body["reason"], "detail": call.body.get("detail"), "time": time.time()}
    if session["finish"] is None:  # the first call wins
        backend.store.finish_session(session["id"], finish)
    return {"type": "finish_session"}
