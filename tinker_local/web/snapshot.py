"""The content of the page as JSON: one section for each of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinker_local.protocol.backend import Backend
from tinker_local.protocol.faults import Fault
from tinker_local.protocol.handlers.sessions import status_of
from tinker_local.state.curves import Curves

MAX_ROWS = 100
"""Maximum number of rows of each list; the newest are shown."""


class Snapshot:
    """The sections for one user."""

    def __init__(self, backend: Backend, user: str, faults: Sequence[Fault]) -> None:
        self._backend = backend
        self._store = backend.store
        self._user = user
        self._faults = faults
        self.sections: dict[str, Callable[[], Any]] = {
            "models": self._models,
            "sessions": self._sessions,
            "runs": self._runs,
            "activity": backend.operations.activity.series,
            "queue": self._queue,
            "requests": self._requests,
            "checkpoints": self._checkpoints,
            "samplers": self._samplers,
            "faults": self._rules,
            "trouble": lambda: backend.scheduler.trouble or backend.refused,
        }

    def _models(self) -> list[str]:
        return list(self._backend.engine.models)

    def _sessions(self) -> list[dict[str, Any]]:
        query = "SELECT * FROM sessions WHERE owner = ? ORDER BY created DESC LIMIT ?"
        return [
            {
                "id": row["id"],
                "created": row["created"],
                "name": row["facts"].get("display_name"),
                "tags": row["facts"].get("tags"),
                "status": status_of(self._backend, row)["type"],
            }
            for row in self._store.select(query, self._user, MAX_ROWS)
        ]

    def _runs(self) -> dict[str, Any]:
        curves = Curves(self._store)
        query = """SELECT models.*,
            (SELECT steps FROM curves WHERE model_id = models.id AND name = '') AS steps,
            (SELECT total FROM curves WHERE model_id = models.id AND name = 'tokens:sum') AS tokens
            FROM models WHERE owner = ? ORDER BY created DESC LIMIT ?"""
        runs = [
            {
                "id": row["id"],
                "session": row["session_id"],
                "created": row["created"],
                "seen": row["seen"],
                "base_model": row["facts"].get("base_model"),
                "rank": (row["facts"].get("lora") or {}).get("rank"),
                "state": "unloaded" if row["unloaded"] else "ready" if row["ready"] else "starting",
                "steps": row["steps"] or 0,
                "tokens": row["tokens"] or 0,
            }
            for row in self._store.select(query, self._user, MAX_ROWS)
        ]
        return {"runs": runs, "metrics": curves.names(self._user)}

    def _queue(self) -> list[dict[str, Any]]:
        mine = [one for one in self._backend.scheduler.waiting() if one[0].owner == self._user]
        return [
            {
                "id": request.id,
                "operation": request.operation,
                "target": request.target,
                "seq_id": request.seq_id,
                "created": request.created,
                "why": why,
            }
            for request, why in mine[:MAX_ROWS]
        ]

    def _requests(self) -> list[dict[str, Any]]:
        query = """SELECT id, operation, target, seq_id, state, created, started, finished,
            length(result) AS size FROM requests WHERE owner = ? ORDER BY rowid DESC LIMIT ?"""
        return [
            {**row, "retries": self._backend.repetitions[row["id"]]}
            for row in self._store.select(query, self._user, MAX_ROWS)
        ]

    def _checkpoints(self) -> list[dict[str, Any]]:
        query, *values = self._backend.catalog.query_of_user(self._user)
        return [
            {name: row[name] for name in ("path", "kind", "size", "created", "expires", "public")}
            for row in self._store.select(f"{query} LIMIT ?", *values, MAX_ROWS)
        ]

    def _samplers(self) -> list[dict[str, Any]]:
        query = """SELECT id, created, base_model, model_path, model_id FROM samplers
            WHERE owner = ? ORDER BY created DESC LIMIT ?"""
        return [dict(row) for row in self._store.select(query, self._user, MAX_ROWS)]

    def _rules(self) -> list[dict[str, Any]]:
        return [
            {
                "operation": fault.operation,
                "kind": fault.kind + (f"={fault.value}" if fault.value else ""),
                "probability": fault.probability,
                "times": fault.times,
                "struck": fault.struck,
            }
            for fault in self._faults
        ]
