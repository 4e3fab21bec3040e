"""Client sessions."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from starlette.responses import Response

from tinker_local import perfetto
from tinker_local.errors import Refusal
from tinker_local.protocol.backend import IDEMPOTENCY_KEY, Backend, Call, reused
from tinker_local.protocol.handlers.files import url_of_trace
from tinker_local.protocol.handlers.lists import owner_urn, page
from tinker_local.state import disk
from tinker_local.state.catalog import LIVE
from tinker_local.state.store import FAILED, Row
from tinker_local.times import moment, timestamp

_SESSIONS = uuid.UUID("a2cf1e38-6f5c-5e0b-9f5e-0a6f4f5a7d11")
"""Namespace of the ids of sessions that are opened with an idempotency key."""
DEFAULT_PROJECT = "default"
PROJECT = f"coalesce(nullif(json_extract(sessions.facts, '$.project_id'), ''), '{DEFAULT_PROJECT}')"
"""SQL for the project of a session."""


async def create_session(backend: Backend, call: Call) -> dict[str, Any]:
    kept = ("tags", "user_metadata", "sdk_version", "project_id", "display_name")
    facts = {name: call.body.get(name) for name in kept}
    if (key := call.idempotency_key) is None:
        open_session(backend, call.user, facts, session_id := str(uuid.uuid4()))
    else:
        session_id = str(uuid.uuid5(_SESSIONS, f"{call.user}\n{key}"))
        if (session := backend.store.get("sessions", session_id)) is None:
            open_session(backend, call.user, facts, session_id)
        elif session["facts"] != facts:
            raise reused(IDEMPOTENCY_KEY)
    return {
        "type": "create_session",
        "session_id": session_id,
        "info_message": None,
        "warning_message": None,
        "error_message": None,
    }


def open_session(backend: Backend, user: str, facts: dict[str, Any], session_id: str) -> None:
    now = backend.store.now()
    backend.store.insert("sessions", id=session_id, owner=user, created=now, seen=now, facts=facts)


async def session_heartbeat(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.body["session_id"]
    if backend.store.get("sessions", session_id) is None:
        # Only 410 stops a client's heartbeats; after any other status they go on forever.
        raise Refusal(410, f"Unknown session_id: {session_id}")
    session = backend.open_session(session_id, call.user)
    now = backend.store.now()
    with disk.unless_full():
        backend.store.write("UPDATE sessions SET seen = ? WHERE id = ?", now, session["id"])
    return {"type": "session_heartbeat"}


async def finish_session(backend: Backend, call: Call) -> dict[str, Any]:
    session = backend.own("sessions", "session_id", call.parameters["session_id"], call.user)
    finish = {
        "reason": call.body["reason"],
        "detail": call.body.get("detail"),
        "time": backend.store.now(),
    }
    if session["finish"] is None:  # only the first call counts
        backend.store.finish_session(session["id"], finish)
    return {"type": "finish_session"}


async def list_sessions(backend: Backend, call: Call) -> dict[str, Any]:
    query, *values = _visible(backend, call.user, call.query["access_scope"])
    rows = page(backend.store, call.query, f"{query} {_NEWEST_FIRST}", *values)
    return {"sessions": [row["id"] for row in rows]}


async def get_session(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.parameters["session_id"]
    session = backend.store.get("sessions", session_id)
    if session is None:
        raise Refusal(404, f"Unknown session_id: {session_id}")
    query, *values = _visible(backend, call.user, call.query["access_scope"])
    if not backend.store.select(f"{query} AND id = ?", *values, session_id):
        raise Refusal(403, "You do not have access to this session")
    query = "SELECT id FROM {} WHERE session_id = ? ORDER BY created, id"
    models = backend.store.select(query.format("models"), session_id)
    samplers = backend.store.select(query.format("samplers"), session_id)
    if session["owner"] != call.user:  # only published checkpoints
        models = [row for row in models if backend.catalog.of_model(row["id"], call.user)]
        samplers = []
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
        facts = {**session["facts"], "project_id": project_id}
        backend.store.set_facts("sessions", session["id"], facts)
        details = {"session_id": session["id"], "project_id": project_id}
        backend.store.note("projects", "session_assigned", call.user, details)
    return Response(status_code=204)


async def export_session_trace(backend: Backend, call: Call) -> dict[str, Any]:
    session = backend.own("sessions", "session_id", call.parameters["session_id"], call.user)
    name = await asyncio.to_thread(perfetto.write, backend.store, session["id"], backend.traces)
    return {"status": "ready", "url": url_of_trace(backend, call, name), "error": None}


# ---- search -----------------------------------------------------------------------------------


async def search_sessions(backend: Backend, call: Call) -> dict[str, Any]:
    limit = int(call.body.get("limit", 50))
    found = list(islice(_search(backend, call), limit + 1))
    shown = [_summary(backend, row, call.user) for row in found[:limit]]
    cursor = None
    if len(found) > limit:
        last = shown[-1]
        cursor = {"last_created_at": last["created_at"], "last_session_id": last["session_id"]}
    return {"sessions": shown, "next_cursor": cursor}


def _search(backend: Backend, call: Call) -> Iterator[Row]:
    """The sessions that match every filter, newest first, after the cursor."""
    asked = call.body
    owner = asked.get("owner") or {"type": "own"}
    scope = "owned" if owner["type"] == "own" else "accessible"
    query, *values = _visible(backend, call.user, scope)
    if asked.get("session_id") is not None:
        query += " AND id = ?"
        values.append(asked["session_id"])
    after: tuple[float, str] = (math.inf, "")
    if asked.get("cursor") is not None:
        cursor = asked["cursor"]
        created = moment("cursor.last_created_at", cursor["last_created_at"])
        after = (created.timestamp(), cursor["last_session_id"])
    query += f" AND (created, id) < (?, ?) {_NEWEST_FIRST} LIMIT ?"
    while rows := backend.store.select(query, *values, *after, _BATCH):
        for row in rows:
            if _matches(backend, row, asked, owner):
                yield row
        after = (rows[-1]["created"], rows[-1]["id"])


_BATCH = 200
"""Number of sessions that a search reads at a time."""


def _matches(backend: Backend, row: Row, asked: dict[str, Any], owner: dict[str, Any]) -> bool:
    facts = row["facts"]
    projects, statuses = asked.get("project_ids"), asked.get("statuses")
    metadata = facts.get("user_metadata") or {}
    return (
        (owner["type"] != "user" or owner_urn(row["owner"]) in owner["owner_urns"])
        and (projects is None or project_of(row) in projects)
        and asked.get("display_name") in (None, facts.get("display_name"))
        and all(metadata.get(k) == v for k, v in (asked.get("user_metadata") or {}).items())
        and (statuses is None or _has_status(status_of(backend, row), statuses))
    )


_NEWEST_FIRST = "ORDER BY created DESC, id DESC"


def _visible(backend: Backend, user: str, scope: str) -> tuple[Any, ...]:
    """The query for the user's sessions, which may be extended by `AND`, and its values.

    `accessible` adds those with a published checkpoint.
    """
    if scope == "owned":
        return "SELECT * FROM sessions WHERE owner = ?", user
    published = f"""SELECT session_id FROM models JOIN checkpoints ON model_id = models.id
        WHERE public AND {LIVE}"""
    query = f"SELECT * FROM sessions WHERE (owner = ? OR id IN ({published}))"
    return query, user, backend.store.now()


def _has_status(status: dict[str, Any], statuses: list[dict[str, Any]]) -> bool:
    return any(
        status["type"] == wanted["type"]
        and (wanted.get("reasons") is None or status["reason"]["type"] in wanted["reasons"])
        for wanted in statuses
    )


def status_of(backend: Backend, session: Row) -> dict[str, Any]:
    """The status of a session. One without heartbeats after a failure counts as failed."""
    finish = session["finish"]
    if finish is not None:
        return {"type": "client_finished", "reason": finish["reason"], "detail": finish["detail"]}
    seconds = backend.options.session_seconds
    if session["seen"] >= backend.store.now() - seconds:
        return {"type": "active"}
    return _failure(backend, session) or {
        "type": "cancelled",
        "detail": f"No heartbeat for {seconds:.0f} s",
    }


def _failure(backend: Backend, session: Row) -> dict[str, Any] | None:
    """The failure of the last operation of a session, if it failed; a cancelled operation never began."""
    query = """SELECT * FROM requests WHERE started IS NOT NULL AND target IN (
            SELECT id FROM models WHERE session_id = ?1
            UNION SELECT id FROM samplers WHERE session_id = ?1)
        ORDER BY finished DESC, rowid DESC LIMIT 1"""
    last = next(iter(backend.store.select(query, session["id"])), None)
    if last is None or last["state"] != FAILED:
        return None
    failure = orjson.loads(last["result"])
    run = backend.store.get("models", last["target"])
    reason: dict[str, Any] = {
        "type": "request",
        "request_id": last["id"],
        "request_type": last["operation"],
    }
    if run is not None and not run["ready"]:
        reason = {"type": "training_run", "training_run_id": run["id"]}
    return {
        "type": "failed",
        "category": "user" if failure["category"] == "user" else "internal",
        "reason": reason,
        "message": failure["error"],
    }


def _summary(backend: Backend, row: Row, user: str) -> dict[str, Any]:
    query = f"""SELECT count(*) AS count, coalesce(sum(size), 0) AS size FROM checkpoints
        JOIN models ON models.id = model_id
        WHERE session_id = ? AND (checkpoints.owner = ? OR public) AND {LIVE}"""
    (checkpoints,) = backend.store.select(query, row["id"], user, backend.store.now())
    return {
        "session_id": row["id"],
        "created_at": timestamp(row["created"]),
        "owner": owner_urn(row["owner"]),
        "project_id": project_of(row),
        "status": status_of(backend, row),
        "checkpoints_count": checkpoints["count"],
        "display_name": row["facts"].get("display_name"),
        "user_metadata": row["facts"].get("user_metadata"),
        "checkpoint_storage_bytes": checkpoints["size"],
    }


def project_of(session: Row) -> str:
    return session["facts"].get("project_id") or DEFAULT_PROJECT
