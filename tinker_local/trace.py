"""What a session did and when, in the form that Perfetto and Chrome's tracing read."""

from __future__ import annotations

import time
from typing import Any

from tinker_local.store import Store


def of_session(store: Store, session_id: str) -> dict[str, Any]:
    """One bar an operation, from its promise to its result, in a row for each model and sampler."""
    query = """SELECT id, target, operation, seq_id, state, created, finished FROM requests
        WHERE target IN (SELECT id FROM models WHERE session_id = ?1
                         UNION SELECT id FROM samplers WHERE session_id = ?1) ORDER BY created"""
    events: list[dict[str, Any]] = []
    rows: dict[str, int] = {}
    for request in store.select(query, session_id):
        row = rows.setdefault(request["target"], len(rows))
        ended = request["finished"] or time.time()
        events.append(
            {
                "name": request["operation"],
                "cat": "operation",
                "ph": "X",
                "ts": round(request["created"] * 1e6),
                "dur": max(0, round((ended - request["created"]) * 1e6)),
                "pid": 0,
                "tid": row,
                "args": {
                    "request_id": request["id"],
                    "seq_id": request["seq_id"],
                    "state": request["state"],
                },
            }
        )
    names = [
        {"name": "thread_name", "ph": "M", "pid": 0, "tid": row, "args": {"name": target}}
        for target, row in rows.items()
    ]
    process = {
        "name": "process_name",
        "ph": "M",
        "pid": 0,
        "args": {"name": f"session {session_id}"},
    }
    return {"traceEvents": [process, *names, *events], "displayTimeUnit": "ms"}
