"""What the server tells of sessions, training runs and checkpoints, and what can be done with them."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, strategies as st
from raw_client import MODEL, Raw, forward_backward, optim_step, sample, save

from tinker_local import LocalServer
from tinker_local.catalog import timestamp
from tinker_local.checkpoints import CheckpointFiles, Location, parse

FILE = "tml-anna anna admin\ntml-bert bert\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(FILE)
    with LocalServer(keys=file) as running:
        yield running.url


@pytest.fixture
def anna(shared: str) -> Iterator[Raw]:
    with Raw(shared, "tml-anna") as client:
        yield client


@pytest.fixture
def bert(shared: str) -> Iterator[Raw]:
    with Raw(shared, "tml-bert") as client:
        yield client


def send(
    raw: Raw, method: str, route: str, status: int, body: Any = None, **headers: str
) -> httpx.Response:
    answer = raw.http.request(method, route, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer


def saved(raw: Raw, name: str = "a", session_id: str | None = None) -> tuple[str, str]:
    """A model with one training checkpoint; its id and the checkpoint's route."""
    model_id = raw.model(session_id)
    raw.do("save_weights", save(model_id, 1, name))
    return model_id, f"training_runs/{model_id}/checkpoints/weights/{name}"


# ---- training runs and lists ------------------------------------------------------------------


def test_a_training_run_tells_of_its_last_checkpoints(anna: Raw) -> None:
    model_id, _ = saved(anna)
    anna.do("save_weights_for_sampler", save(model_id, 2, "s"))
    run = anna.get(f"training_runs/{model_id}")
    assert run["training_run_id"] == model_id
    assert run["base_model"] == MODEL
    assert run["model_owner"].endswith(":anna")
    assert run["last_checkpoint"]["tinker_path"] == f"tinker://{model_id}/weights/a"
    assert run["last_sampler_checkpoint"]["checkpoint_id"] == "sampler_weights/s"
    assert run["last_checkpoint"]["size_bytes"] > 1000
    assert anna.get("training_runs")["training_runs"][0] == run
    assert anna.get(f"training_runs/{quote(model_id, safe='')}") == run


def test_pages_of_checkpoints_are_the_list_newest_first(anna: Raw) -> None:
    model_id = anna.model()
    for number in range(1, 6):
        anna.do("save_weights", save(model_id, number, f"c{number}"))
    route = f"training_runs/{model_id}/checkpoints"
    whole = anna.get(route)
    assert [one["checkpoint_id"] for one in whole["checkpoints"]] == [
        f"weights/c{n}" for n in (5, 4, 3, 2, 1)
    ]
    assert whole["cursor"] is None
    assert anna.get(f"models/{model_id}/checkpoints") == whole
    page = anna.get(f"{route}?limit=2&offset=2")
    assert page["checkpoints"] == whole["checkpoints"][2:4]
    assert page["cursor"] == {"offset": 2, "limit": 2, "total_count": 5}
    mine = anna.get("checkpoints?limit=3")
    assert mine["checkpoints"] == whole["checkpoints"][:3]
    assert mine["cursor"]["total_count"] >= 5


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("limit=0", "minimum"),
        ("limit=x", "type"),
        ("offset=-1", "minimum"),
        ("limit=1001", "maximum"),
    ],
)
def test_a_query_off_the_contract_is_422(anna: Raw, query: str, kind: str) -> None:
    (issue,) = anna.get(f"checkpoints?{query}", 422)["detail"]
    assert issue["loc"] == ["query", query.split("=", maxsplit=1)[0]]
    assert issue["type"] == kind


def test_what_is_not_ready_is_no_training_run_yet(anna: Raw) -> None:
    anna.get("training_runs/nowhere:train:0", 404)


# ---- ownership --------------------------------------------------------------------------------


def test_a_private_checkpoint_is_its_owners_alone(anna: Raw, bert: Raw) -> None:
    model_id, route = saved(anna)
    path = f"tinker://{model_id}/weights/a"
    for method, end in (
        ("DELETE", ""),
        ("POST", "/publish"),
        ("GET", "/archive"),
        ("GET", "/download"),
    ):
        send(bert, method, f"{route}{end}", 403)
    send(bert, "PUT", f"{route}/ttl", 403, {"ttl_seconds": 7200})
    bert.post("copy_weights", {"source_path": path}, 403)
    bert.get(f"training_runs/{model_id}", 403)
    bert.get(f"training_runs/{model_id}?access_scope=accessible", 403)
    bert.get(f"training_runs/{model_id}/checkpoints", 403)
    assert anna.get(f"training_runs/{model_id}")["last_checkpoint"]["public"] is False


def test_a_published_checkpoint_is_readable_and_no_more(anna: Raw, bert: Raw) -> None:
    model_id, route = saved(anna)
    path = f"tinker://{model_id}/weights/a"
    send(anna, "POST", f"{route}/publish", 204)
    send(anna, "POST", f"{route}/publish", 409)
    assert bert.post("weights_info", {"tinker_path": path})["base_model"] == MODEL
    into = {"session_id": bert.session(), "model_seq_id": 0, "path": path, "optimizer": False}
    assert bert.do("load_weights", into)["path"] == path
    bert.get(f"training_runs/{model_id}", 403)
    assert (
        bert.get(f"training_runs/{model_id}?access_scope=accessible")["training_run_id"] == model_id
    )
    assert model_id in str(bert.get("training_runs?access_scope=accessible"))
    assert model_id not in str(bert.get("training_runs"))
    assert [
        one["public"] for one in bert.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
    ] == [True]
    send(bert, "DELETE", route, 403)
    send(bert, "DELETE", f"{route}/publish", 403)
    send(anna, "DELETE", f"{route}/publish", 204)
    send(anna, "DELETE", f"{route}/publish", 409)
    bert.post("weights_info", {"tinker_path": path}, 403)


# ---- deleting and expiring --------------------------------------------------------------------


def test_deleting_removes_the_files(tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        _, route = saved(raw)
        assert list(tmp_path.glob("checkpoints/*/weights/a/*.safetensors"))
        send(raw, "DELETE", route, 204)
        assert not list(tmp_path.glob("checkpoints/*/weights/a"))
        send(raw, "DELETE", route, 404)
        assert raw.get("checkpoints")["checkpoints"] == []


def test_an_expired_checkpoint_is_gone_with_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tinker_local.catalog as catalog

    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        model_id, route = saved(raw)
        send(raw, "PUT", f"{route}/ttl", 204, {"ttl_seconds": 3600})
        (listed,) = raw.get("checkpoints")["checkpoints"]
        assert listed["expires_at"] > listed["time"]
        send(raw, "PUT", f"{route}/ttl", 204, {"ttl_seconds": None})
        assert raw.get("checkpoints")["checkpoints"][0]["expires_at"] is None
        send(raw, "PUT", f"{route}/ttl", 204, {"ttl_seconds": 3600})
        now = catalog.time.time()

        class Later:
            @staticmethod
            def time() -> float:
                return now + 3601

        monkeypatch.setattr(catalog, "time", Later)
        assert raw.get("checkpoints")["checkpoints"] == []
        raw.post("weights_info", {"tinker_path": f"tinker://{model_id}/weights/a"}, 404)
        raw.do("save_weights", save(model_id, 2, "b"))
        assert not list(tmp_path.glob("checkpoints/*/weights/a"))
        events = [entry["event"] for entry in raw.get("audit")["entries"]]
        assert events.count("checkpoint_expired") == 1


def test_files_that_a_crash_has_left_are_removed_at_the_next_start(tmp_path: Path) -> None:
    orphan = tmp_path / "checkpoints" / "s%3Atrain%3A0" / "weights" / "lost"
    orphan.mkdir(parents=True)
    (orphan / "adapter_model.safetensors").write_bytes(b"x")
    with LocalServer(data=tmp_path):
        assert not orphan.exists()


# ---- archives and files -----------------------------------------------------------------------


def test_an_archive_is_a_tar_behind_a_signed_url(anna: Raw) -> None:
    _, route = saved(anna)
    redirect = send(anna, "GET", f"{route}/archive", 302)
    assert "GMT" in redirect.headers["expires"]
    url = redirect.headers["location"]
    content = httpx.get(url)
    with tarfile.open(fileobj=io.BytesIO(content.content)) as tar:
        assert tar.getnames() == ["adapter_config.json", "adapter_model.safetensors"]
    digest = base64.b64encode(hashlib.sha256(content.content).digest()).decode()
    assert content.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert send(anna, "GET", f"{route}/download", 200).content == content.content


def test_ranges_of_an_archive(anna: Raw) -> None:
    _, route = saved(anna)
    url = send(anna, "GET", f"{route}/archive", 302).headers["location"]
    whole = httpx.get(url)
    size = len(whole.content)
    part = httpx.get(url, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 100-199/{size}"
    assert part.content == whole.content[100:200]
    rest = httpx.get(url, headers={"Range": "bytes=512-", "If-Range": whole.headers["etag"]})
    assert rest.content == whole.content[512:]
    changed = httpx.get(url, headers={"Range": "bytes=512-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    beyond = httpx.get(url, headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    assert beyond.json()["detail"] == f"The file has {size} bytes"
    assert httpx.get(url, headers={"Range": "lines=1-2"}).status_code == 400


def test_a_url_that_was_tampered_with(anna: Raw, shared: str) -> None:
    _, route = saved(anna)
    url = send(anna, "GET", f"{route}/archive", 302).headers["location"]
    head, payload, _ = url.split(".", 2)[-3:] if url.count(".") == 2 else url.rsplit(".", 2)
    assert httpx.get(f"{head}.{payload}.AAAA").status_code == 403
    assert httpx.get(f"{shared}/api/v1/files/nonsense").status_code == 403
    send(anna, "DELETE", route, 204)
    assert httpx.get(url).status_code == 404


def test_each_file_has_a_url_of_its_own(anna: Raw) -> None:
    model_id = anna.model()
    body = {"model_id": model_id, "seq_id": 1, "path": "release", "type": "save_weights_external"}
    result = anna.do("save_weights_external", body)
    assert result["path"] == f"tinker://{model_id}/external_weights/release"
    route = f"training_runs/{model_id}/checkpoints/external_weights/release/external_weights_urls"
    answer = anna.get(route)
    assert set(answer["urls"]) == {"adapter_config.json", "adapter_model.safetensors"}
    assert httpx.get(answer["urls"]["adapter_config.json"]).json()["peft_type"] == "LORA"
    recipients = {**body, "seq_id": 2, "path": "b", "age_encryption_recipients": ["age1x"]}
    assert "does not encrypt" in anna.post("save_weights_external", recipients, 400)["detail"]


@given(st.text(max_size=40))
def test_no_name_leads_out_of_the_checkpoint_folder(name: str) -> None:
    location = parse(f"tinker://run/weights/{name}")
    if location is not None:
        folder = CheckpointFiles(Path("/data/checkpoints")).folder(location)
        assert folder.parent == Path("/data/checkpoints/run/weights")


@pytest.mark.parametrize("run", ["..", ".", "%2e%2e"])
def test_no_training_run_leads_out_of_the_checkpoint_folder(run: str) -> None:
    files = CheckpointFiles(Path("/data/checkpoints"))
    location = Location(run, "weights", "a")
    try:
        folder = files.folder(location)
    except ValueError:
        return
    assert folder.parent.parent.parent == Path("/data/checkpoints")


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..%2fstate.sqlite", "a%00b", "-a", "a b"])
def test_names_that_are_none_are_refused(anna: Raw, name: str) -> None:
    model_id = anna.model()
    answer = anna.http.delete(f"training_runs/{model_id}/checkpoints/weights/{name}")
    assert answer.status_code in (400, 404, 405)


# ---- copies -----------------------------------------------------------------------------------


def test_a_copy_is_a_checkpoint_of_its_own(anna: Raw) -> None:
    model_id, route = saved(anna)
    path = f"tinker://{model_id}/weights/a"
    body = {"source_path": path, "destination_project_id": "evaluation"}
    copy = anna.post("copy_weights", body, **{"X-Idempotency-Key": "one"})["tinker_path"]
    assert anna.post("copy_weights", body, **{"X-Idempotency-Key": "one"})["tinker_path"] == copy
    other = {**body, "destination_project_id": "another"}
    anna.post("copy_weights", other, 409, **{"X-Idempotency-Key": "one"})
    send(anna, "DELETE", route, 204)
    into = {"session_id": anna.session(), "model_seq_id": 0, "path": copy, "optimizer": True}
    assert anna.do("load_weights", into)["path"] == copy
    runs = anna.get("training_runs?project_id=evaluation")["training_runs"]
    assert [run["last_checkpoint"]["tinker_path"] for run in runs] == [copy]
    token = {"X-Tinker-Weights-Access-Token": "t"}
    assert (
        "gives out no weights access tokens"
        in anna.post("copy_weights", body, 403, **token)["detail"]
    )


# ---- sessions ---------------------------------------------------------------------------------


def test_a_session_tells_what_it_holds(anna: Raw, bert: Raw) -> None:
    session_id = anna.session()
    model_id, sampler_id = anna.model(session_id), anna.sampler(session_id)
    answer = anna.get(f"sessions/{session_id}")
    assert answer["training_run_ids"] == [model_id]
    assert answer["sampler_ids"] == [sampler_id]
    assert anna.get("sessions?limit=1")["sessions"] == [session_id]
    bert.get(f"sessions/{session_id}", 403)
    bert.get("sessions/nowhere", 404)


def test_every_filter_of_a_search(anna: Raw, bert: Raw) -> None:
    def opened(**members: Any) -> str:
        body = {"tags": [], "sdk_version": "0.38.0", **members}
        session_id: str = anna.post("create_session", body)["session_id"]
        return session_id

    first = opened(user_metadata={"k": "1", "x": "y"}, display_name="one", project_id="p")
    second = opened(user_metadata={"k": "1"}, display_name="two")
    send(
        anna,
        "POST",
        f"sessions/{second}/finish",
        200,
        {"reason": {"type": "errored"}, "detail": "d"},
    )
    third = opened(user_metadata={"k": "1"})
    assert anna.model(third)

    def found(**asked: Any) -> list[str]:
        answer = anna.post("sessions/search", {"user_metadata": {"k": "1"}, **asked})
        return [one["session_id"] for one in answer["sessions"]]

    assert found() == [third, second, first]
    assert found(session_id=second) == [second]
    assert found(project_ids=["p"]) == [first]
    assert found(project_ids=["default"]) == [third, second]
    assert found(user_metadata={"k": "1", "x": "y"}) == [first]
    assert found(display_name="two") == [second]
    assert found(statuses=[{"type": "active"}]) == [third, first]
    assert found(statuses=[{"type": "client_finished"}]) == [second]
    assert found(statuses=[{"type": "client_finished", "reasons": ["success"]}]) == []
    assert found(
        statuses=[{"type": "client_finished", "reasons": ["errored"]}, {"type": "failed"}]
    ) == [second]
    assert found(statuses=[{"type": "cancelled"}]) == []
    urn = anna.get(f"training_runs/{third}:train:0")["model_owner"]
    assert found(owner={"type": "user", "owner_urns": [urn]}) == [third, second, first]
    assert found(owner={"type": "user", "owner_urns": ["tml:organization_user:bert"]}) == []
    assert bert.post("sessions/search", {"user_metadata": {"k": "1"}})["sessions"] == []
    send(anna, "PUT", f"sessions/{third}/project", 204, {"project_id": "q"})
    assert found(project_ids=["q"]) == [third]


def test_a_search_goes_on_after_its_cursor_whatever_is_new(anna: Raw) -> None:
    body = {"tags": [], "sdk_version": "0.38.0", "user_metadata": {"pages": "yes"}}
    ids = [anna.post("create_session", body)["session_id"] for _ in range(5)]
    asked: dict[str, Any] = {"user_metadata": {"pages": "yes"}, "limit": 2}
    seen = []
    while True:
        answer = anna.post("sessions/search", asked)
        seen += [one["session_id"] for one in answer["sessions"]]
        if answer["next_cursor"] is None:
            break
        asked["cursor"] = answer["next_cursor"]
        anna.post("create_session", body)
    assert seen == ids[::-1]


def test_a_session_without_heartbeats_counts_as_cancelled(tmp_path: Path) -> None:
    from tinker_local.handlers.sessions import LIFETIME

    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        session_id = raw.session()
    import sqlite3

    with sqlite3.connect(tmp_path / "state.sqlite") as database:
        database.execute("UPDATE sessions SET seen = seen - ?", (LIFETIME + 1,))
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        (found,) = raw.post("sessions/search", {"statuses": [{"type": "cancelled"}]})["sessions"]
        assert found["session_id"] == session_id
        raw.post("session_heartbeat", {"session_id": session_id})
        assert raw.post("sessions/search", {"statuses": [{"type": "cancelled"}]})["sessions"] == []


def test_a_trace_has_a_bar_for_each_operation(anna: Raw) -> None:
    session_id = anna.session()
    model_id, sampler_id = anna.model(session_id), anna.sampler(session_id)
    anna.do("forward_backward", forward_backward(model_id, 1))
    anna.do("optim_step", optim_step(model_id, 2))
    anna.do("asample", sample(sampler_id, 0))
    answer = anna.get(f"sessions/{session_id}/trace_export")
    assert answer["status"] == "ready"
    events = httpx.get(answer["url"]).json()["traceEvents"]
    bars = [event for event in events if event["ph"] == "X"]
    assert [bar["name"] for bar in bars] == [
        "create_model",
        "forward_backward",
        "optim_step",
        "asample",
    ]
    assert all(bar["dur"] >= 0 and bar["args"]["state"] == "done" for bar in bars)


# ---- usage and audit --------------------------------------------------------------------------


def window() -> str:
    import time

    hour = int(time.time() // 3600) * 3600
    return f"starting_on={timestamp(hour - 3600)}&ending_before={timestamp(hour + 7200)}"


def test_usage_is_counted_once_from_what_was_done(tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        session_id = raw.session()
        model_id, sampler_id = raw.model(session_id), raw.sampler(session_id)
        body = forward_backward(model_id, 1)
        tokens = sum(
            len(chunk["tokens"])
            for datum in body["forward_backward_input"]["data"]
            for chunk in datum["model_input"]["chunks"]
        )
        for _ in range(3):  # a repetition is no second use
            raw.do("forward_backward", body)
        drawn = raw.do("asample", sample(sampler_id, 0))
        raw.do("save_weights", save(model_id, 2, "a"))
        answer = raw.get(f"billing/usage/events?{window()}")
        by_kind = {event["event_info"]["type"]: event["event_info"] for event in answer["data"]}
        assert by_kind["training"]["token_count"] == tokens
        assert by_kind["sampling_sample"]["token_count"] == sum(
            len(s["tokens"]) for s in drawn["sequences"]
        )
        assert by_kind["sampling_prefill"]["token_count"] > 0
        assert by_kind["checkpoint"]["count"] == 1
        assert by_kind["storage"]["gigabyte_hours"] > 0
        assert set(answer["sessions"]) == {session_id}
        (item,) = raw.get("billing/usage/checkpoints/current")["data"]
        assert item["checkpoint_count"] == 1
        assert item["size_gigabytes"] == item["size_bytes"] / 1e9
        assert raw.get("billing/usage/checkpoints/current?project_id=other")["data"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("starting_on=2026-01-01T00:30:00Z&ending_before=2026-01-02T00:00:00Z", 400),
        ("starting_on=2026-01-02T00:00:00Z&ending_before=2026-01-01T00:00:00Z", 400),
        ("starting_on=2026-01-01T00:00:00Z&ending_before=2026-02-01T00:00:00Z", 400),
        ("starting_on=2999-01-01T00:00:00Z&ending_before=2999-01-02T00:00:00Z", 400),
        ("starting_on=2026-01-01", 422),
    ],
)
def test_a_window_that_is_none(anna: Raw, query: str, status: int) -> None:
    anna.get(f"billing/usage/events?{query}", status)


def test_the_audit_log_tells_who_did_what(anna: Raw, bert: Raw) -> None:
    model_id, route = saved(anna, "audited")
    send(anna, "POST", f"{route}/publish", 204)
    send(bert, "GET", f"{route}/archive", 302)
    send(anna, "DELETE", f"{route}/publish", 204)
    send(anna, "DELETE", route, 204)
    path = f"tinker://{model_id}/weights/audited"
    entries = [entry for entry in anna.get("audit")["entries"] if entry["tinker_path"] == path]
    events = [
        (entry["event"], entry["event_details"]["by"].rpartition(":")[2]) for entry in entries
    ]
    assert events == [
        ("checkpoint_saved", "anna"),
        ("checkpoint_published", "anna"),
        ("checkpoint_exported", "bert"),
        ("checkpoint_unpublished", "anna"),
        ("checkpoint_deleted", "anna"),
    ]
    day = entries[0]["timestamp"][:10]
    assert path in str(anna.get(f"audit?event_type=checkpoints&day={day}"))
    assert anna.get("audit?day=2020-01-01")["entries"] == []
    assert path not in str(anna.get("audit?event_type=projects"))
    anna.get("audit?day=yesterday", 422)
    bert.get("audit", 403)
    bert.get(f"billing/usage/events?{window()}", 403)
