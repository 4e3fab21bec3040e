"""Client sessions."""

from __future__ import annotations

import time
import uuid
from typing import Any

from starlette.responses import Response

from tinker_local.backend import Backend, Call
from tinker_local.catalog import timestamp
from tinker_local.errors import Refusal
from tinker_local.handlers.files import signed_url
from tinker_local.handlers.lists import owner_urn, page
from tinker_local.store import Row

LIFETIME = 300.0
"""Seconds without a heartbeat after which a session counts as cancelled."""
DEFAULT_PROJECT = "default"


async def create_session(backend: Backend, call: Call) -> dict[str, Any]:
    kept = ("tags", "user_metadata", "sdk_version", "project_id", "display_name")
    session_id = open_session(backend, call.user, {name: call.body.get(name) for name in kept})
    return {
        "type": "create_session",
        "session_id": session_id,
        "info_message": None,
        "warning_message": None,
        "error_message": None,
    }


def open_session(backend: Backend, user: str, facts: dict[str, Any]) -> str:
    session_id = str(uuid.uuid4())
    now = time.time()
    backend.store.insert("sessions", id=session_id, owner=user, created=now, seen=now, facts=facts)
    return session_id


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


async def list_sessions(backend: Backend, call: Call) -> dict[str, Any]:
    rows = _visible(backend, call.user, call.query["access_scope"])
    return {"sessions": [row["id"] for row in page(rows, call.query)]}


async def get_session(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.parameters["session_id"]
    session = backend.store.get("sessions", session_id)
    if session is None:
        raise Refusal(404, f"Unknown session_id: {session_id}")
    visible = _visible(backend, call.user, call.query["access_scope"])
    if session_id not in {row["id"] for row in visible}:
        raise Refusal(403, "You do not have access to this session")
    query = "SELECT id FROM {} WHERE session_id = ? ORDER BY created, id"
    models = backend.store.select(query.format("models"), session_id)
    samplers = backend.store.select(query.format("samplers"), session_id)
    return {
        "training_run_ids": [row["id"] for row in models],
        "sampler_ids": [row["id"] for row in samplers],
        "user_metadata": session["facts"].get("user_metadata"),
        "display_name": session["facts"].get("display_name"),
    }


async def assign_session_project(backend: Backend, call: Call) -> Response:
    session = backend.own("sessions", "session_id", call.parameters["session_id"], call.user)
    project_id = call.body["project_id"]
    with backend.store.transaction():
        backend.store.set_facts(
            "sessions", session["id"], {**session["facts"], "project_id": project_id}
        )
        details = {"session_id": session["id"], "project_id": project_id}
        backend.store.note("projects", "session_assigned", call.user, details)
    return Response(status_code=204)


async def export_session_trace(backend: Backend, call: Call) -> dict[str, Any]:
    session = backend.own("sessions", "session_id", call.parameters["session_id"], call.user)
    url = signed_url(backend, call, trace=session["id"])
    return {"status": "ready", "url": url, "error": None}


async def search_sessions(backend: Backend, call: Call) -> dict[str, Any]:
    asked = call.body
    owner = asked.get("owner") or {"type": "own"}
    scope = "owned" if owner["type"] == "own" else "accessible"
    rows = [row for row in _visible(backend, call.user, scope) if _matches(row, asked, owner)]
    after = asked.get("cursor")
    if after is not None:
        last = (after["last_created_at"], after["last_session_id"])
        rows = [row for row in rows if (timestamp(row["created"]), row["id"]) < last]
    limit = int(asked.get("limit") or 50)
    found = [_summary(backend, row) for row in rows[:limit]]
    cursor = None
    if len(rows) > limit:
        cursor = {
            "last_created_at": found[-1]["created_at"],
            "last_session_id": found[-1]["session_id"],
        }
    return {"sessions": found, "next_cursor": cursor}


def _visible(backend: Backend, user: str, scope: str) -> list[Row]:
    """The user's sessions, newest first; `accessible` adds those with a published checkpoint."""
    public = """ OR id IN (SELECT session_id FROM models JOIN checkpoints ON model_id = models.id
        WHERE public = 1 AND (expires IS NULL OR expires > strftime('%s', 'now')))"""
    condition = f"owner = ?{public if scope == 'accessible' else ''}"
    query = f"SELECT * FROM sessions WHERE {condition} ORDER BY created DESC, id DESC"
    return backend.store.select(query, user)


def _matches(row: Row, asked: dict[str, Any], owner: dict[str, Any]) -> bool:
    facts = row["facts"]
    metadata = facts.get("user_metadata") or {}
    statuses = asked.get("statuses")
    return (
        (asked.get("session_id") in (None, row["id"]))
        and (asked.get("project_ids") is None or project_of(row) in asked["project_ids"])
        and all(
            metadata.get(key) == value for key, value in (asked.get("user_metadata") or {}).items()
        )
        and asked.get("display_name") in (None, facts.get("display_name"))
        and (owner["type"] != "user" or owner_urn(row["owner"]) in owner["owner_urns"])
        and (statuses is None or any(_has_status(_status(row), wanted) for wanted in statuses))
    )


def _has_status(status: dict[str, Any], wanted: dict[str, Any]) -> bool:
    reasons = wanted.get("reasons")
    return status["type"] == wanted["type"] and (
        reasons is None or status["reason"]["type"] in reasons
    )


def _status(row: Row) -> dict[str, Any]:
    if row["finish"] is not None:
        finish = row["finish"]
        return {"type": "client_finished", "reason": finish["reason"], "detail": finish["detail"]}
    if row["seen"] < time.time() - LIFETIME:
        return {"type": "cancelled", "detail": f"No heartbeat for {LIFETIME:.0f} s"}
    return {"type": "active"}


def _summary(backend: Backend, row: Row) -> dict[str, Any]:
    query = """SELECT count(*) AS count, coalesce(sum(size), 0) AS size FROM checkpoints
        JOIN models ON models.id = model_id
        WHERE session_id = ? AND (expires IS NULL OR expires > ?)"""
    (checkpoints,) = backend.store.select(query, row["id"], time.time())
    return {
        "session_id": row["id"],
        "created_at": timestamp(row["created"]),
        "owner": owner_urn(row["owner"]),
        "project_id": project_of(row),
        "status": _status(row),
        "checkpoints_count": checkpoints["count"],
        "display_name": row["facts"].get("display_name"),
        "user_metadata": row["facts"].get("user_metadata"),
        "checkpoint_storage_bytes": checkpoints["size"],
    }


def project_of(session: Row) -> str:
    return session["facts"].get("project_id") or DEFAULT_PROJECT
