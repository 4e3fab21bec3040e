"""Finding sessions: lists, filters, cursors, how a session ended, and its trace."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.raw_client import MODEL, Gate, Raw, forward_backward, optim_step, sample, save
from tests.support.server_clock import Clock
from tinker_local import LocalServer
from tinker_local.options import Options


def search(raw: Raw, **asked: Any) -> list[str]:
    return [one["session_id"] for one in raw.post("sessions/search", asked)["sessions"]]


def status(raw: Raw, session_id: str) -> Any:
    (found,) = raw.post("sessions/search", {"session_id": session_id})["sessions"]
    return found["status"]


def finish(raw: Raw, session_id: str, reason: str, detail: str | None = None) -> None:
    body = {"reason": {"type": reason}, "detail": detail}
    raw.post(f"sessions/{session_id}/finish", body)


# ---- what a session tells ---------------------------------------------------------------------


def test_a_session_tells_what_it_holds(anna: Raw, bert: Raw) -> None:
    session_id = anna.session(user_metadata={"run": "17"}, display_name="nightly")
    models = [anna.model(session_id, number) for number in (0, 1)]
    samplers = [anna.sampler(session_id, number) for number in (0, 1)]
    assert anna.get(f"sessions/{session_id}") == {
        "training_run_ids": models,
        "sampler_ids": samplers,
        "user_metadata": {"run": "17"},
        "display_name": "nightly",
    }
    assert anna.get("sessions?limit=1")["sessions"] == [session_id]
    assert anna.get("sessions/nowhere", 404)["detail"] == "Unknown session_id: nowhere"


def test_a_summary_counts_checkpoints(anna: Raw) -> None:
    session_id = anna.session(display_name="counted", project_id="p")
    model_id, _ = anna.saved(session_id=session_id)
    anna.do("save_weights_for_sampler", save(model_id, 2, "s"))
    sizes = [
        one["size_bytes"]
        for one in anna.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
    ]
    (found,) = anna.post("sessions/search", {"session_id": session_id})["sessions"]
    assert found.pop("created_at").endswith("Z")
    assert found == {
        "session_id": session_id,
        "owner": "tml:organization_user:anna",
        "project_id": "p",
        "status": {"type": "active"},
        "checkpoints_count": 2,
        "display_name": "counted",
        "user_metadata": {},
        "checkpoint_storage_bytes": sum(sizes),
    }


# ---- filters ----------------------------------------------------------------------------------


def test_every_filter_of_a_search(anna: Raw, bert: Raw) -> None:
    mark = {"filters": "yes"}
    first = anna.session(user_metadata={**mark, "x": "y"}, display_name="one", project_id="p")
    second = anna.session(user_metadata=mark, display_name="two")
    third = anna.session(user_metadata=mark)
    finish(anna, second, "errored")

    def found(**asked: Any) -> list[str]:
        return search(anna, **{"user_metadata": mark, **asked})

    assert found() == [third, second, first]
    assert found(limit=2) == [third, second]
    assert found(session_id=second) == [second]
    assert found(session_id="nowhere") == []
    assert found(project_ids=["p"]) == [first]
    assert found(project_ids=["p", "default"]) == [third, second, first]
    assert found(project_ids=[]) == []
    assert found(user_metadata={**mark, "x": "y"}) == [first]
    assert found(user_metadata={**mark, "x": "z"}) == []
    assert found(display_name="two") == [second]
    assert found(statuses=[{"type": "active"}]) == [third, first]
    assert found(statuses=[{"type": "client_finished"}]) == [second]
    for reasons, expected in ([["success"], []], [["success", "errored"], [second]]):
        assert found(statuses=[{"type": "client_finished", "reasons": reasons}]) == expected
    assert found(statuses=[{"type": "active"}, {"type": "client_finished"}], project_ids=["p"]) == [
        first
    ]
    assert found(statuses=[{"type": "cancelled"}, {"type": "failed"}]) == []
    everything = dict.fromkeys(
        ("session_id", "project_ids", "display_name", "owner", "statuses", "cursor")
    )
    assert found(**everything) == [third, second, first]
    assert search(bert, user_metadata=mark) == []


def test_whose_sessions_are_searched(anna: Raw, bert: Raw) -> None:
    mark = {"owners": "yes"}
    hers, his = anna.session(user_metadata=mark), bert.session(user_metadata=mark)
    _, route = anna.saved(session_id=hers)
    anna.send("POST", f"{route}/publish", 204)

    def found(raw: Raw, kind: str, **more: Any) -> list[str]:
        return search(raw, user_metadata=mark, owner={"type": kind, **more})

    urn = "tml:organization_user:{}".format
    assert found(bert, "own") == [his]
    assert found(bert, "accessible") == [his, hers]
    assert found(bert, "user", owner_urns=[urn("anna")]) == [hers]
    assert found(bert, "user", owner_urns=[urn("bert"), urn("anna")]) == [his, hers]
    assert found(bert, "user", owner_urns=[urn("nobody")]) == []
    assert found(anna, "user", owner_urns=[urn("bert")]) == []


def test_a_session_moves_to_a_project(anna: Raw) -> None:
    session_id = anna.session()
    model_id, _ = anna.saved(session_id=session_id)
    assert search(anna, session_id=session_id, project_ids=["default"]) == [session_id]
    assert (
        anna.send("PUT", f"sessions/{session_id}/project", 204, {"project_id": "q"}).content == b""
    )
    assert search(anna, session_id=session_id, project_ids=["q"]) == [session_id]
    runs = anna.get("training_runs?project_id=q")["training_runs"]
    assert [run["training_run_id"] for run in runs] == [model_id]
    events = anna.get("audit?event_type=projects")["entries"]
    assert events[-1]["event"] == "session_assigned"
    assert events[-1]["event_details"] == {
        "by": "tml:organization_user:anna",
        "session_id": session_id,
        "project_id": "q",
    }
    for body in ({}, {"project_id": ""}, {"project_id": None}):
        anna.send("PUT", f"sessions/{session_id}/project", 422, body)


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"limit": 201},
        {"statuses": []},
        {"statuses": [{"type": "sleeping"}]},
        {"statuses": [{"type": "client_finished", "reasons": ["bored"]}]},
        {"owner": {"type": "user", "owner_urns": []}},
        {"display_name": ""},
        {"cursor": {"last_created_at": "yesterday", "last_session_id": "a"}},
        {"cursor": {"last_session_id": "a"}},
    ],
)
def test_a_search_off_the_contract_is_422(anna: Raw, asked: Any) -> None:
    assert anna.post("sessions/search", asked, 422)["detail"][0]["loc"][0] == "body"


# ---- cursors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_a_search_goes_on_after_its_cursor_whatever_is_new(anna: Raw, zone: timezone) -> None:
    mark = {"pages": str(zone)}
    ids = [anna.session(user_metadata=mark) for _ in range(5)]
    asked: dict[str, Any] = {"user_metadata": mark, "limit": 2}
    seen = []
    while True:
        answer = anna.post("sessions/search", asked)
        seen += [one["session_id"] for one in answer["sessions"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        # Clients read times, and write them in their own way.
        created = datetime.fromisoformat(cursor["last_created_at"]).astimezone(zone)
        asked["cursor"] = {**cursor, "last_created_at": created.isoformat()}
        anna.session(user_metadata=mark)
    assert seen == ids[::-1]


def test_sessions_of_the_same_moment_are_found_once_each(clock: Clock, tmp_path: Path) -> None:
    moment = clock()
    with (
        LocalServer(tmp_path, options=Options(clock=lambda: moment)) as running,
        Raw(running.url) as raw,
    ):
        ids = {raw.session() for _ in range(5)}
        asked: dict[str, Any] = {"limit": 1}
        seen: Counter[str] = Counter()
        while True:
            answer = raw.post("sessions/search", asked)
            seen.update(one["session_id"] for one in answer["sessions"])
            asked["cursor"] = answer["next_cursor"]
            if asked["cursor"] is None:
                break
        assert seen == Counter(ids)
        assert set(raw.get("sessions")["sessions"]) == ids


@pytest.mark.parametrize("moment", ["2016-12-31T23:59:60Z", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_no_clock_shows(anna: Raw, moment: str) -> None:
    cursor = {"last_created_at": moment, "last_session_id": "a"}
    answer = anna.http.post("sessions/search", json={"cursor": cursor})
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or moment in answer.json()["detail"]


# ---- how a session ended ----------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["success", "errored", "interrupted"])
def test_a_session_that_its_client_finished(timed: Raw, clock: Clock, reason: str) -> None:
    session_id = timed.session()
    finish(timed, session_id, reason, "why")
    finish(timed, session_id, "success", "later")  # the first one counts
    clock.forward(1000)
    expected = {"type": "client_finished", "reason": {"type": reason}, "detail": "why"}
    assert status(timed, session_id) == expected


def test_a_session_without_heartbeats_is_cancelled_until_they_come_again(
    timed: Raw, clock: Clock
) -> None:
    session_id = timed.session()
    clock.forward(299)
    assert status(timed, session_id) == {"type": "active"}
    clock.forward(2)
    assert status(timed, session_id) == {"type": "cancelled", "detail": "No heartbeat for 300 s"}
    assert search(timed, statuses=[{"type": "cancelled"}]) == [session_id]
    timed.post("session_heartbeat", {"session_id": session_id})
    assert status(timed, session_id) == {"type": "active"}


def test_a_session_that_went_silent_after_a_failure_has_failed(timed: Raw, clock: Clock) -> None:
    session_id = timed.session()
    model_id = timed.model(session_id)
    body = {"path": "tinker://x/weights/y", "optimizer": True, "model_id": model_id, "seq_id": 1}
    failed = timed.post("load_weights", body)
    message = timed.result(failed)["error"]
    assert status(timed, session_id) == {"type": "active"}
    clock.forward(301)
    assert status(timed, session_id) == {
        "type": "failed",
        "category": "user",
        "reason": {
            "type": "request",
            "request_id": failed["request_id"],
            "request_type": "load_weights",
        },
        "message": message,
    }
    assert search(timed, statuses=[{"type": "failed"}]) == [session_id]
    clock.forward(7 * 86400)  # long after results are dropped
    assert status(timed, session_id)["message"] == message
    timed.post("session_heartbeat", {"session_id": session_id})
    timed.do("optim_step", optim_step(model_id, 2))
    clock.forward(301)
    assert status(timed, session_id)["type"] == "cancelled"


def test_a_session_whose_training_run_could_not_be_created_has_failed(
    timed: Raw, clock: Clock
) -> None:
    path = f"tinker://{timed.saved()[0]}/weights/a"
    session_id = timed.session()
    into = {"session_id": session_id, "model_seq_id": 0, "base_model": "another"}
    promise = timed.post("load_weights", {"path": path, "optimizer": False, **into})
    message = timed.result(promise)["error"]
    clock.forward(301)
    reason = {"type": "training_run", "training_run_id": f"{session_id}:train:0"}
    told = status(timed, session_id)
    assert (told["type"], told["reason"], told["message"]) == ("failed", reason, message)


def test_a_cancelled_sample_is_not_a_failure(engine: Gate, clock: Clock, tmp_path: Path) -> None:
    options = Options(clock=clock)
    with (
        LocalServer(tmp_path, engine=engine, options=options) as running,
        Raw(running.url) as raw,
    ):
        session_id = raw.session()
        model_id, sampler_id = raw.model(session_id), raw.sampler(session_id)
        engine.gate.clear()
        busy = raw.post("forward_backward", forward_backward(model_id, 1))
        cancelled = raw.post("asample", sample(sampler_id, 0))
        raw.post("cancel_future", {"request_id": cancelled["request_id"]})
        assert raw.result(cancelled)["type"] == "request_failed"
        engine.gate.set()
        raw.result(busy)
        clock.forward(301)
        assert status(raw, session_id)["type"] == "cancelled"


# ---- traces -----------------------------------------------------------------------------------


def trace(raw: Raw, session_id: str) -> list[dict[str, Any]]:
    answer = raw.get(f"sessions/{session_id}/trace_export")
    assert (answer["status"], answer["error"]) == ("ready", None)
    told = httpx.get(answer["url"]).json()
    assert told["displayTimeUnit"] == "ms"
    events: list[dict[str, Any]] = told["traceEvents"]
    return events


def test_a_trace_shows_each_operation_from_promise_to_result(anna: Raw) -> None:
    session_id = anna.session()
    model_id, sampler_id = anna.model(session_id), anna.sampler(session_id)
    promises = [
        anna.post("forward_backward", forward_backward(model_id, 1)),
        anna.post("optim_step", optim_step(model_id, 2)),
        anna.post("save_weights", save(model_id, 3, "a")),
        anna.post("save_weights", save(model_id, 4, "a")),
        anna.post("asample", sample(sampler_id, 0)),
    ]
    for promise in promises:
        anna.result(promise)
    events = trace(anna, session_id)
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert sorted(names.values()) == sorted([model_id, sampler_id])
    runs = [event for event in events if event["ph"] == "X"]
    assert [(names[run["tid"]], run["name"], run["args"]["seq_id"]) for run in runs] == [
        (model_id, "create_model", 0),
        (model_id, "forward_backward", 1),
        (model_id, "optim_step", 2),
        (model_id, "save_weights", 3),
        (model_id, "save_weights", 4),
        (sampler_id, "asample", None),
    ]
    assert [run["args"]["state"] for run in runs] == ["done"] * 4 + ["failed", "done"]
    assert "exists" in runs[4]["args"]["error"]
    # What runs for one model does not overlap: only so are bars drawn as they were.
    for row in names:
        bars = [(run["ts"], run["ts"] + run["dur"]) for run in runs if run["tid"] == row]
        assert all(end <= begin for (_, end), (begin, _) in pairwise(bars))
    for run in runs:
        request_id = run["args"]["request_id"]
        begin, end = (e for e in events if e["ph"] in "be" and e.get("id") == request_id)
        assert (begin["ph"], end["ph"]) == ("b", "e")
        assert begin["ts"] <= run["ts"] <= run["ts"] + run["dur"] <= end["ts"]


def test_a_trace_of_a_session_without_operations(anna: Raw) -> None:
    (event,) = trace(anna, anna.session())
    assert event["name"] == "process_name"


def test_a_trace_of_what_is_still_to_be_done(gated: Raw, engine: Gate) -> None:
    session_id = gated.session()
    model_id = gated.model(session_id)
    engine.gate.clear()
    gated.post("forward_backward", forward_backward(model_id, 1))
    events = trace(gated, session_id)
    (begin,) = (e for e in events if e["name"] == "forward_backward" and e["ph"] == "b")
    assert begin["args"]["state"] == "pending"
    assert [e["name"] for e in events if e["ph"] == "X"] == ["create_model"]


def test_a_trace_is_exported_by_many_at_once_while_old_ones_are_deleted(
    timed: Raw, clock: Clock
) -> None:
    session_id = timed.session()
    clock.forward(
        3601
    )  # what is written now is older than all that is kept, by the files' own clock
    with ThreadPoolExecutor(8) as threads:
        urls = [threads.submit(timed.get, f"sessions/{session_id}/trace_export") for _ in range(40)]
        told = [timed.http.get(url.result()["url"]).json() for url in urls]
    assert all(one["displayTimeUnit"] == "ms" for one in told)


def test_a_trace_is_a_file_with_ranges_until_its_url_expires(
    timed: Raw, clock: Clock, tmp_path: Path
) -> None:
    session_id = timed.session()
    timed.sampler(session_id)
    assert timed.do("asample", {**sample(f"{session_id}:sample:0", 0)})["type"] == "sample"
    url = timed.get(f"sessions/{session_id}/trace_export")["url"]
    whole = timed.http.get(url)
    assert whole.headers["content-disposition"] == f'attachment; filename="{session_id}.json"'
    assert whole.headers["repr-digest"].startswith("sha-256=:")
    resume = {"Range": "bytes=10-", "If-Range": whole.headers["etag"]}
    part = timed.http.get(url, headers=resume)
    assert (part.status_code, part.content) == (206, whole.content[10:])
    timed.get("sessions/nowhere/trace_export", 404)
    clock.forward(3601)
    assert timed.http.get(url).status_code == 410
    while list((tmp_path / "traces").iterdir()):
        pass
    assert MODEL not in str(trace(timed, session_id))
