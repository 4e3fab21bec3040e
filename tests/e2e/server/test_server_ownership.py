"""Whose a checkpoint is, and what others may do with it: private, and published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.raw_client import MODEL, Raw, sample, save

OWNERS_ALONE: list[tuple[str, str, Any]] = [
    ("DELETE", "", None),
    ("POST", "/publish", None),
    ("DELETE", "/publish", None),
    ("PUT", "/ttl", {"ttl_seconds": 7200}),
]
READERS: list[tuple[str, str, int]] = [
    ("GET", "/archive", 302),
    ("GET", "/download", 200),
    ("GET", "/external_weights_urls", 200),
]


@pytest.mark.parametrize(("method", "end", "body"), OWNERS_ALONE)
@pytest.mark.parametrize("published", [False, True])
def test_only_its_owner_changes_a_checkpoint(
    anna: Raw, bert: Raw, method: str, end: str, body: Any, published: bool
) -> None:
    model_id, route = anna.saved()
    if published:
        anna.send("POST", f"{route}/publish", 204)
    refused = bert.send(method, f"{route}{end}", 403, body).json()
    assert refused["detail"] == "You do not have access to this checkpoint"
    (left,) = anna.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
    assert left["public"] is published
    assert left["expires_at"] is None


@pytest.mark.parametrize(("method", "end", "status"), READERS)
def test_others_take_away_what_is_published(
    anna: Raw, bert: Raw, method: str, end: str, status: int
) -> None:
    _, route = anna.saved()
    bert.send(method, f"{route}{end}", 403)
    anna.send("POST", f"{route}/publish", 204)
    bert.send(method, f"{route}{end}", status)
    anna.send("DELETE", f"{route}/publish", 204)
    bert.send(method, f"{route}{end}", 403)
    anna.send(method, f"{route}{end}", status)


def describe(raw: Raw, path: str) -> int:
    return raw.http.post("weights_info", json={"tinker_path": path}).status_code


def copy(raw: Raw, path: str) -> int:
    return raw.http.post("copy_weights", json={"source_path": path}).status_code


def load_into_new(raw: Raw, path: str) -> int:
    into = {"session_id": raw.session(), "model_seq_id": 0}
    body = {"path": path, "optimizer": True, **into}
    return raw.http.post("load_weights", json=body).status_code


def sample_from(raw: Raw, path: str) -> int:
    body = {"session_id": raw.session(), "sampling_session_seq_id": 0, "model_path": path}
    return raw.http.post("create_sampling_session", json=body).status_code


def sample_once(raw: Raw, path: str) -> int:
    body = {**sample("", 0), "sampling_session_id": None, "seq_id": None, "model_path": path}
    return raw.http.post("asample", json=body).status_code


@pytest.mark.parametrize("use", [describe, copy, load_into_new, sample_from, sample_once])
def test_others_use_what_is_published(anna: Raw, bert: Raw, use: Callable[[Raw, str], int]) -> None:
    model_id, route = anna.saved()
    path = f"tinker://{model_id}/weights/a"
    assert use(bert, path) == 403
    anna.send("POST", f"{route}/publish", 204)
    assert use(bert, path) == 200
    anna.send("DELETE", f"{route}/publish", 204)
    assert use(bert, path) == 403
    assert use(anna, path) == 200
    assert use(bert, f"{path}-not") == 404


def test_others_load_what_is_published_into_their_models(anna: Raw, bert: Raw) -> None:
    model_id, route = anna.saved()
    body = {"path": f"tinker://{model_id}/weights/a", "optimizer": True, "model_id": bert.model()}
    failed = bert.do("load_weights", {**body, "seq_id": 1})
    assert failed["error"] == f"You do not have access to {body['path']}."
    anna.send("POST", f"{route}/publish", 204)
    assert bert.do("load_weights", {**body, "seq_id": 2})["path"] == body["path"]


def test_a_sampler_of_what_was_withdrawn_samples_no_more(anna: Raw, bert: Raw) -> None:
    model_id, route = anna.saved()
    path = f"tinker://{model_id}/weights/a"
    anna.send("POST", f"{route}/publish", 204)
    body = {"session_id": bert.session(), "sampling_session_seq_id": 0, "model_path": path}
    sampler_id = bert.post("create_sampling_session", body)["sampling_session_id"]
    assert bert.do("asample", sample(sampler_id, 0))["type"] == "sample"
    anna.send("DELETE", f"{route}/publish", 204)
    failed = bert.do("asample", sample(sampler_id, 1))
    assert failed["error"] == f"You do not have access to {path}."


def test_publishing_twice_is_a_conflict(anna: Raw) -> None:
    _, route = anna.saved()
    assert "private already" in anna.send("DELETE", f"{route}/publish", 409).json()["detail"]
    anna.send("POST", f"{route}/publish", 204)
    assert "public already" in anna.send("POST", f"{route}/publish", 409).json()["detail"]


def test_a_saved_again_checkpoint_is_private_again(anna: Raw, bert: Raw) -> None:
    model_id, route = anna.saved()
    anna.send("POST", f"{route}/publish", 204)
    anna.do("save_weights", save(model_id, 2, "a", overwrite=True))
    bert.send("GET", f"{route}/download", 403)


def test_the_accessible_scope_shows_what_is_published_and_no_more(anna: Raw, bert: Raw) -> None:
    session_id = anna.session(display_name="shared")
    model_id, route = anna.saved(session_id=session_id)
    private = anna.model(session_id, 1)
    anna.do("save_weights", save(private, 1, "secret"))
    anna.do("save_weights", save(model_id, 2, "secret"))
    anna.sampler(session_id)
    scope = "access_scope=accessible"

    def hidden(query: str) -> None:
        assert session_id not in bert.get(f"sessions?{query}")["sessions"]
        assert model_id not in str(bert.get(f"training_runs?{query}"))
        bert.get(f"training_runs/{model_id}?{query}", 403)
        bert.get(f"sessions/{session_id}?{query}", 403)

    hidden(scope)
    bert.get(f"training_runs/{model_id}/checkpoints", 403)
    anna.send("POST", f"{route}/publish", 204)
    hidden("")
    hidden("access_scope=owned")
    assert session_id in bert.get(f"sessions?{scope}")["sessions"]
    session = bert.get(f"sessions/{session_id}?{scope}")
    assert (session["training_run_ids"], session["sampler_ids"]) == ([model_id], [])
    (run,) = [
        run
        for run in bert.get(f"training_runs?{scope}")["training_runs"]
        if run["training_run_id"] in (model_id, private)
    ]
    assert run == bert.get(f"training_runs/{model_id}?{scope}")
    assert run["training_run_id"] == model_id
    assert run["last_checkpoint"]["checkpoint_id"] == "weights/a"
    bert.get(f"training_runs/{private}?{scope}", 403)
    shown = bert.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
    assert [(one["checkpoint_id"], one["public"]) for one in shown] == [("weights/a", True)]
    accessible = {"owner": {"type": "accessible"}, "session_id": session_id}
    (found,) = bert.post("sessions/search", accessible)["sessions"]
    assert found["checkpoints_count"] == 1
    assert found["checkpoint_storage_bytes"] == run["last_checkpoint"]["size_bytes"]
    assert anna.post("sessions/search", accessible)["sessions"][0]["checkpoints_count"] == 3


@pytest.mark.parametrize(
    ("method", "route", "body"),
    [
        ("GET", "sessions/{}", None),
        ("PUT", "sessions/{}/project", {"project_id": "mine"}),
        ("GET", "sessions/{}/trace_export", None),
    ],
)
def test_a_session_is_its_owners_alone(
    anna: Raw, bert: Raw, method: str, route: str, body: Any
) -> None:
    session_id = anna.session(project_id="hers")
    bert.send(method, route.format(session_id), 403, body)
    anna.send(method, route.format("nowhere"), 404, body)
    (found,) = anna.post("sessions/search", {"session_id": session_id})["sessions"]
    assert found["project_id"] == "hers"


def test_only_administrators_see_usage_and_the_audit_log(anna: Raw, bert: Raw) -> None:
    hours = "starting_on=2026-01-01T00:00:00Z&ending_before=2026-01-01T01:00:00Z"
    for route in ("audit", f"billing/usage/events?{hours}", "billing/usage/checkpoints/current"):
        assert bert.get(route, 403)["detail"] == "Only administrators may read this"
        anna.get(route)


def test_a_base_model_is_nobodys_checkpoint(anna: Raw) -> None:
    anna.post("weights_info", {"tinker_path": MODEL}, 400)
    anna.post("copy_weights", {"source_path": MODEL}, 400)
