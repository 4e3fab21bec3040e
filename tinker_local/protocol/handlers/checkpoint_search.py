"""Search of checkpoints."""

from __future__ import annotations

import json
import math
from typing import Any
from uuid import UUID

from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.handlers.lists import owner_urn
from tinker_local.protocol.handlers.sessions import DEFAULT_PROJECT, PROJECT
from tinker_local.state.catalog import LIVE, TYPES, described
from tinker_local.state.store import Row
from tinker_local.times import moment, timestamp

_KINDS = {kind: name for name, kind in TYPES.items()}


async def search_checkpoints(backend: Backend, call: Call) -> dict[str, Any]:
    limit = int(call.body.get("limit", 50))
    found = _search(backend, call.user, call.body, limit + 1)
    shown = found[:limit]
    cursor = None
    if len(found) > limit:
        last = shown[-1]
        created, number = timestamp(last["created"]), str(UUID(int=last["number"]))
        cursor = {"last_created_at": created, "last_checkpoint_uuid": number}
    return {"checkpoints": [described(row) for row in shown], "next_cursor": cursor}


def _search(backend: Backend, user: str, asked: dict[str, Any], limit: int) -> list[Row]:
    """The checkpoints that match every filter, newest first, after the cursor."""
    owner = asked.get("owner") or {"type": "own"}
    conditions, values = [LIVE], [backend.store.now()]

    def demand(condition: str, *more: Any) -> None:
        conditions.append(condition)
        values.extend(more)

    if owner["type"] == "own":
        demand("checkpoints.owner = ?", user)
    else:
        demand("(checkpoints.owner = ? OR public)", user)
    if owner["type"] == "user":
        demand(f"? || checkpoints.owner {_IN}", owner_urn(""), json.dumps(owner["owner_urns"]))
    if (projects := asked.get("project_ids")) is not None:
        for project in projects:
            _check_project(backend, user, project)
        demand(f"{PROJECT} {_IN}", json.dumps(projects))
    if metadata := asked.get("user_metadata"):
        demand(_METADATA, json.dumps(metadata))
    if (kind := asked.get("checkpoint_type")) is not None:
        demand("kind = ?", _KINDS[kind])
    if (base_models := asked.get("base_models")) is not None:
        model = "json_extract(checkpoints.facts, '$.base_model')"
        demand(f"{model} {_IN}", json.dumps(base_models))
    demand("(checkpoints.created, checkpoints.rowid) < (?, ?)", *_behind(asked.get("cursor")))
    return backend.store.select(
        f"SELECT checkpoints.*, checkpoints.rowid AS number FROM {_FROM} "
        f"WHERE {' AND '.join(conditions)} "
        "ORDER BY checkpoints.created DESC, checkpoints.rowid DESC LIMIT ?",
        *values,
        limit,
    )


_FROM = """checkpoints JOIN models ON models.id = model_id
    JOIN sessions ON sessions.id = models.session_id"""
_IN = "IN (SELECT value FROM json_each(?))"
_METADATA = """NOT EXISTS (SELECT 1 FROM json_each(?) AS wanted WHERE NOT EXISTS (
    SELECT 1 FROM json_each(checkpoints.facts, '$.user_metadata') AS kept
    WHERE kept.key = wanted.key AND kept.value = wanted.value))"""
"""Matches if every pair of the first object is in the second."""


def _behind(cursor: dict[str, Any] | None) -> tuple[float, int]:
    if cursor is None:
        return math.inf, 0
    created = moment("cursor.last_created_at", cursor["last_created_at"])
    try:
        number = UUID(cursor["last_checkpoint_uuid"]).int
    except ValueError:
        raise Refusal(400, "cursor.last_checkpoint_uuid is not a UUID of this server") from None
    return created.timestamp(), min(number, 2**63 - 1)


def _check_project(backend: Backend, user: str, project: str) -> None:
    """Reject a project in which the user may read nothing."""
    query = f"""SELECT 1 FROM sessions WHERE {PROJECT} = ?1 AND (owner = ?2 OR EXISTS (
        SELECT 1 FROM checkpoints JOIN models ON models.id = model_id
        WHERE models.session_id = sessions.id AND public))"""
    if project != DEFAULT_PROJECT and not backend.store.select(query, project, user):
        raise Refusal(403, f"You do not have access to the project {project!r}")
