"""Sessions: their start, their life, their end, and how to find them."""

from __future__ import annotations

import time

from tinker._version import SDK_VERSION
from tinker.conformance.checks import check
from tinker.conformance.outcomes import expect
from tinker.conformance.subject import Subject


@check("create_session", "sessions")
def create_session(s: Subject) -> None:
    """Models and samplers belong to a session."""
    body = {
        "tags": ["conformance"],
        "user_metadata": {"conformance": s.name},
        "sdk_version": SDK_VERSION,
        "type": "create_session",
    }
    s.session_id = s.call("create_session", body)["session_id"]
    expect(bool(s.session_id), "expected a non-empty session_id")


@check("session_heartbeat", "sessions", "create_session")
def session_heartbeat(s: Subject) -> None:
    """A session lives while heartbeats arrive."""
    s.call("session_heartbeat", {"session_id": s.session_id, "type": "session_heartbeat"})


@check("list_sessions", "sessions", "create_session")
def list_sessions(s: Subject) -> None:
    """Session ids, newest first; ours is among them."""
    sessions = s.call("list_sessions", query={"limit": 100, "offset": 0})["sessions"]
    expect(s.session_id in sessions, "our session is not among the newest 100")


@check("search_sessions", "sessions", "create_session")
def search_sessions(s: Subject) -> None:
    """Filters are joined by "and"; newest first."""
    search = {"user_metadata": {"conformance": s.name}, "limit": 5}
    found = [one["session_id"] for one in s.call("search_sessions", search)["sessions"]]
    expect(
        found == [s.session_id],
        f"a search for our user_metadata: expected our session alone, found {len(found)} sessions",
    )
    other = {"session_id": s.session_id, "user_metadata": {"conformance": "another"}}
    none = s.call("search_sessions", other)["sessions"]
    expect(none == [], "a search found our session, though one of its filters does not match")


@check("assign_session_project", "sessions", "create_session")
def assign_session_project(s: Subject) -> None:
    """A session can be moved to a project; an unknown project is refused with 400, 403 or 404."""
    exchange = s.send(
        "assign_session_project", {"project_id": s.name}, path={"session_id": s.session_id}
    )
    s.offered(exchange)
    expect(
        exchange.status in (200, 201, 202, 204, 400, 403, 404),
        f"expected a 2xx status, 400, 403 or 404, found {exchange.status}",
    )


@check("get_session", "sessions", "create_model")
def get_session(s: Subject) -> None:
    """Training runs and samplers of a session."""
    session = s.call("get_session", path={"session_id": s.session_id})
    expect(s.model.id in session["training_run_ids"], "our model is not among training_run_ids")


@check("export_session_trace", "sessions", "create_session")
def export_session_trace(s: Subject) -> None:
    """`pending` until the file is there, then `ready` with its URL."""
    for _ in range(12):
        export = s.call("export_session_trace", path={"session_id": s.session_id})
        if export["status"] != "pending":
            break
        time.sleep(5)
    expect(
        export["status"] == "ready",
        f"expected status ready within a minute, found {export['status']}: {export.get('error')}",
    )
    expect(bool(export.get("url")), "the export is ready, but has no URL")


@check("finish_session", "sessions", "create_session")
def finish_session(s: Subject) -> None:
    """The first call sets the reason; later ones are accepted and change nothing."""
    for reason in ("success", "errored"):
        s.call(
            "finish_session",
            {"reason": {"type": reason}, "detail": None},
            path={"session_id": s.session_id},
        )
    s.keep("finished", True)
