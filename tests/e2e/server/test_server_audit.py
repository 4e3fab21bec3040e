"""The audit log: who did what with checkpoints and projects, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.raw_client import Raw, save
from tests.support.server_clock import Clock


def events(entries: Sequence[dict[str, Any]], path: str) -> list[tuple[str, str]]:
    """What happened to a checkpoint, and by whom."""
    return [
        (one["event"], one["event_details"]["by"].removeprefix("tml:organization_user:"))
        for one in entries
        if one["tinker_path"] == path
    ]


def test_the_audit_log_tells_who_did_what_to_a_checkpoint(anna: Raw, bert: Raw) -> None:
    model_id, route = anna.saved()
    path = f"tinker://{model_id}/weights/a"
    anna.do("save_weights", save(model_id, 2, "a", overwrite=True))
    anna.send("PUT", f"{route}/ttl", 204, {"ttl_seconds": 3600})
    anna.send("POST", f"{route}/publish", 204)
    bert.send("GET", f"{route}/archive", 302)
    bert.send("GET", f"{route}/download", 200)
    bert.send("GET", f"{route}/external_weights_urls", 200)
    copy = bert.post("copy_weights", {"source_path": path})["tinker_path"]
    anna.send("DELETE", f"{route}/publish", 204)
    bert.send("GET", f"{route}/archive", 403)  # what is refused has not happened
    anna.send("DELETE", route, 204)
    entries = anna.get("audit")["entries"]
    assert events(entries, path) == [
        ("checkpoint_saved", "anna"),
        ("checkpoint_saved", "anna"),
        ("checkpoint_ttl_set", "anna"),
        ("checkpoint_published", "anna"),
        ("checkpoint_exported", "bert"),
        ("checkpoint_exported", "bert"),
        ("checkpoint_exported", "bert"),
        ("checkpoint_unpublished", "anna"),
        ("checkpoint_deleted", "anna"),
    ]
    own = [entry for entry in entries if entry["tinker_path"] == path]
    assert {entry["model_id"] for entry in own} == {model_id}
    assert [entry["event_details"].get("overwritten") for entry in own[:2]] == [None, True]
    assert own[2]["event_details"]["ttl_seconds"] == 3600
    assert events(entries, copy) == [("checkpoint_copied", "bert")]
    (copied,) = (entry for entry in entries if entry["tinker_path"] == copy)
    assert copied["event_details"]["source_path"] == path
    times = [entry["timestamp"] for entry in entries]
    assert times == sorted(times)


def test_events_are_asked_for_by_their_kind(anna: Raw) -> None:
    session_id = anna.session()
    model_id, _ = anna.saved(session_id=session_id)
    anna.send("PUT", f"sessions/{session_id}/project", 204, {"project_id": "q"})
    path = f"tinker://{model_id}/weights/a"

    def asked(kind: str) -> tuple[bool, bool]:
        entries = str(anna.get(f"audit?event_type={kind}")["entries"])
        return path in entries, "session_assigned" in entries

    assert asked("all") == (True, True)
    assert asked("checkpoints") == (True, False)
    assert asked("projects") == (False, True)
    for kind in ("teams", "organizations"):
        assert anna.get(f"audit?event_type={kind}")["entries"] == []
    (issue,) = anna.get("audit?event_type=people", 422)["detail"]
    assert issue["loc"] == ["query", "event_type"]


def test_a_day_is_from_midnight_to_midnight(timed: Raw, clock: Clock) -> None:
    _, route = timed.saved()
    (first,) = timed.get("audit")["entries"]
    clock.forward(86400)
    timed.send("PUT", f"{route}/ttl", 204, {"ttl_seconds": 3600})
    second = timed.get("audit")["entries"][1]
    days = [entry["timestamp"][:10] for entry in (first, second)]
    assert days[0] < days[1]
    for day, entry in zip(days, (first, second), strict=True):
        assert timed.get(f"audit?day={day}")["entries"] == [entry]
        assert timed.get(f"audit?day={day}&event_type=projects")["entries"] == []
    assert timed.get("audit?day=2020-01-01")["entries"] == []
    clock.forward(3601)
    timed.send("GET", f"{route}/download", 404)
    expired = timed.get("audit")["entries"][-1]
    assert expired["event"] == "checkpoint_expired"


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "2026-1-1", "20260101", ""])
def test_an_invalid_day(anna: Raw, day: str) -> None:
    (issue,) = anna.get(f"audit?day={day}", 422)["detail"]
    assert issue["loc"] == ["query", "day"]


@pytest.mark.parametrize("day", ["0000-01-01", "0001-01-01", "9999-12-31"])
def test_a_day_at_the_end_of_time(anna: Raw, day: str) -> None:
    answer = anna.http.get(f"audit?day={day}")
    assert answer.status_code in (200, 400, 422)
    assert answer.status_code != 200 or answer.json() == {"entries": []}
