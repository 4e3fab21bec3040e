"""Usage and audit: for administrators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.handlers.lists import owner_urn
from tinker_local.protocol.handlers.sessions import DEFAULT_PROJECT, project_of
from tinker_local.state.catalog import stored
from tinker_local.state.store import Row
from tinker_local.times import moment, timestamp


def _administrator(backend: Backend, call: Call) -> None:
    if not backend.keys.is_administrator(call.user):
        raise Refusal(403, "Only administrators may read this")


async def get_audit_log(backend: Backend, call: Call) -> dict[str, Any]:
    _administrator(backend, call)
    query, values = "SELECT * FROM audit WHERE 1", []
    kind = call.query["event_type"]
    if kind != "all":
        query += " AND kind = ?"
        values.append(kind)
    if "day" in call.query:
        begin = moment("day", f"{call.query['day']}T00:00:00Z").timestamp()
        query += " AND time >= ? AND time < ?"
        values += [begin, begin + timedelta(days=1).total_seconds()]
    entries = [
        {
            "timestamp": timestamp(row["time"]),
            "event": row["event"],
            "event_details": {"by": owner_urn(row["actor"]), **row["facts"]},
            "model_id": row["model_id"],
            "tinker_path": row["path"],
            "purpose": None,
        }
        for row in backend.store.select(f"{query} ORDER BY id", *values)
    ]
    return {"entries": entries}


_LONGEST = timedelta(days=14)
_GIGABYTE = 1e9


async def list_billing_usage(backend: Backend, call: Call) -> dict[str, Any]:
    _administrator(backend, call)
    begin, end = (_hour(name, call.query[name]) for name in ("starting_on", "ending_before"))
    if begin.timestamp() > backend.store.now():
        raise Refusal(400, "starting_on is in the future")
    if not timedelta(0) < end - begin <= _LONGEST:
        raise Refusal(400, "ending_before must be after starting_on, by at most 14 days")
    query = "SELECT * FROM usage WHERE hour >= ? AND hour < ? ORDER BY hour, session_id, kind"
    rows = backend.store.select(query, begin.timestamp(), end.timestamp())
    rows += _storage_so_far(backend, begin.timestamp(), end.timestamp())
    sessions = {}
    for session_id in {row["session_id"] for row in rows} - {""}:
        session = backend.store.get("sessions", session_id)
        sessions[session_id] = {"user_metadata": session and session["facts"].get("user_metadata")}
    return {
        "data": [_event(backend, row) for row in rows],
        "sessions": sessions,
        "cost_data_through": None,
    }


def _storage_so_far(backend: Backend, begin: float, end: float) -> list[Row]:
    """Storage of existing checkpoints; that of deleted ones is already counted."""
    rows = []
    for checkpoint in backend.catalog.all():
        run = backend.store.get("models", checkpoint["model_id"])
        for hour, amount in stored(checkpoint, backend.store.now()):
            if begin <= hour < end:
                row = Row(hour=hour, owner=checkpoint["owner"], kind="storage", amount=amount)
                row["session_id"] = "" if run is None else run["session_id"]
                row["base_model"] = checkpoint["facts"]["base_model"]
                rows.append(row)
    return rows


def _hour(name: str, text: str) -> datetime:
    hour = moment(name, text)
    if (hour.minute, hour.second, hour.microsecond) != (0, 0, 0):
        raise Refusal(400, f"{name} is {text}; it must be a full hour")
    return hour


def _event(backend: Backend, row: Row) -> dict[str, Any]:
    session = backend.store.get("sessions", row["session_id"]) if row["session_id"] else None
    return {
        "bucket_start": timestamp(row["hour"]),
        "bucket_end": timestamp(row["hour"] + 3600),
        "base_model": row["base_model"],
        "user_id": owner_urn(row["owner"]),
        "user_name": row["owner"],
        "session_id": row["session_id"] or None,
        "project_id": None if session is None else project_of(session),
        "event_info": _info(row["kind"], row["amount"]),
    }


def _info(kind: str, amount: float) -> dict[str, Any]:
    if kind == "storage":
        return {"type": kind, "free": True, "gigabyte_hours": amount}
    if kind == "checkpoint":
        return {"type": kind, "count": int(amount)}
    cached = {"cached": False} if kind == "sampling_prefill" else {}
    return {"type": kind, **cached, "token_count": int(amount)}


async def get_checkpoint_storage(backend: Backend, call: Call) -> dict[str, Any]:
    _administrator(backend, call)
    totals: dict[tuple[str, str], list[int]] = {}
    for row in backend.catalog.all():
        run = backend.store.get("models", row["model_id"])
        session = run and backend.store.get("sessions", run["session_id"])
        project = DEFAULT_PROJECT if not session else project_of(session)
        if call.query.get("project_id") in (None, project):
            total = totals.setdefault((project, row["owner"]), [0, 0])
            total[0] += 1
            total[1] += row["size"]
    data = [
        {
            "project_id": project,
            "org_user_urn": owner_urn(owner),
            "user_email": f"{owner}@localhost",
            "user_name": owner,
            "checkpoint_count": count,
            "size_bytes": size,
            "size_gigabytes": size / _GIGABYTE,
        }
        for (project, owner), (count, size) in sorted(totals.items())
    ]
    return {"effective_rate_usd_per_gigabyte_month": None, "data": data}
