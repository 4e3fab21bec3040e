"""Writes what a session did, and when, in the format of Perfetto (ui.perfetto.dev) and Chrome's tracing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tinker_local.state.store import FAILED, Row, Store


def write(store: Store, session_id: str, folder: Path) -> str:
    """Write a session's trace atomically, also while others write it; returns the file's name."""
    name = f"{session_id}.json"
    folder.mkdir(exist_ok=True)
    partial = folder / f"{name}.{uuid.uuid4().hex}.partial"
    partial.write_bytes(orjson.dumps(of_session(store, session_id)))
    now = store.now()
    os.utime(partial, (now, now))
    partial.replace(folder / name)
    return name


def of_session(store: Store, session_id: str) -> dict[str, Any]:
    """One row for each model and sampler. Each operation is a bar while it runs, below a bar from its promise to its
    result: promises overlap, running operations of one model do not."""
    query = """SELECT id, target, operation, seq_id, state, created, started, finished,
            CASE state WHEN 'failed' THEN result END AS failure FROM requests
        WHERE target IN (SELECT id FROM models WHERE session_id = ?1
                         UNION SELECT id FROM samplers WHERE session_id = ?1)
        ORDER BY requests.rowid"""
    events: list[dict[str, Any]] = []
    threads: dict[str, int] = {}
    for request in store.select(query, session_id):
        thread = threads.setdefault(request["target"], len(threads) + 1)
        events += _events(request, thread, store.now())
    names = [_name("process_name", 0, f"session {session_id}")]
    names += [_name("thread_name", thread, target) for target, thread in threads.items()]
    return {"traceEvents": names + events, "displayTimeUnit": "ms"}


def _events(request: Row, thread: int, now: float) -> Iterator[dict[str, Any]]:
    arguments = {
        "request_id": request["id"],
        "seq_id": request["seq_id"],
        "state": request["state"],
    }
    if request["state"] == FAILED:
        arguments["error"] = orjson.loads(request["failure"])["error"]
    common = {"name": request["operation"], "pid": 1, "tid": thread}
    promise = {**common, "cat": "promise", "id": request["id"]}
    yield {**promise, "ph": "b", "ts": _microseconds(request["created"]), "args": arguments}
    yield {**promise, "ph": "e", "ts": _microseconds(request["finished"] or now)}
    if request["started"] is not None:
        yield {
            **common,
            "cat": "run",
            "ph": "X",
            "ts": _microseconds(request["started"]),
            "dur": _microseconds(request["finished"]) - _microseconds(request["started"]),
            "args": arguments,
        }


def _name(kind: str, thread: int, name: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": 1, "tid": thread, "args": {"name": name}}


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)
