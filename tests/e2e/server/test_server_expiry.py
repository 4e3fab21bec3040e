"""What is deleted, when, and that it stays so: by its owner, by its time, and through a crash."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.raw_client import Gate, Raw, forward_backward, sample, save
from tests.support.server_clock import Clock
from tests.support.server_process import ServerProcess
from tinker_local import LocalServer


def files(data: Path) -> list[str]:
    """The checkpoint files of a server, without the folders of single saves."""
    found = []
    for folder, _, names in os.walk(data / "checkpoints"):  # which takes what vanishes meanwhile
        found += [f"{Path(folder).parent.name}/{name}" for name in names]
    return sorted(found)


WHOLE = ["adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors"]


def count(data: Path, table: str) -> int:
    with closing(sqlite3.connect(data / "state.sqlite")) as database:
        (rows,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert isinstance(rows, int)
        return rows


# ---- by its owner -----------------------------------------------------------------------------


def test_deleting_removes_the_files(tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        model_id, route = raw.saved()
        assert files(tmp_path) == [f"a/{name}" for name in WHOLE]
        raw.send("GET", f"{route}/download", 200)
        raw.send("DELETE", route, 204)
        assert files(tmp_path) == []
        for method, end in (
            ("DELETE", ""),
            ("POST", "/publish"),
            ("DELETE", "/publish"),
            ("GET", "/archive"),
            ("GET", "/download"),
            ("GET", "/external_weights_urls"),
        ):
            detail = raw.send(method, f"{route}{end}", 404).json()["detail"]
            assert detail == f"Unknown checkpoint: tinker://{model_id}/weights/a"
        raw.send("PUT", f"{route}/ttl", 404, {"ttl_seconds": 60})
        assert raw.get("checkpoints")["checkpoints"] == []
        assert raw.get(f"training_runs/{model_id}")["last_checkpoint"] is None


def test_overwriting_leaves_one_set_of_files(tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        model_id, _ = raw.saved()
        for number in (2, 3):
            raw.do("save_weights", save(model_id, number, "a", overwrite=True))
        while len(files(tmp_path)) > len(WHOLE):  # the older ones go once the newest is recorded
            pass
        assert files(tmp_path) == [f"a/{name}" for name in WHOLE]


def test_a_checkpoint_that_is_being_written_is_too_early(gated: Raw, engine: Gate) -> None:
    model_id = gated.model()
    route = f"training_runs/{model_id}/checkpoints/weights/a"
    path = f"tinker://{model_id}/weights/a"
    engine.gate.clear()
    gated.post("forward_backward", forward_backward(model_id, 1))
    saved = gated.post("save_weights", save(model_id, 2, "a"))
    early = gated.send("DELETE", route, 425).json()
    assert early["detail"] == "Checkpoint is still being created"
    gated.send("GET", f"{route}/download", 425)
    gated.post("weights_info", {"tinker_path": path}, 425)
    gated.post("copy_weights", {"source_path": path}, 425)
    gated.send("DELETE", f"{route}-not", 404)
    gated.send("DELETE", route.replace("/weights/", "/sampler_weights/"), 404)
    engine.gate.set()
    assert gated.result(saved)["path"] == path
    gated.send("DELETE", route, 204)


def test_saving_deleting_and_downloading_at_once_leave_rows_and_files_alike(
    tmp_path: Path,
) -> None:
    statuses: set[int] = set()
    over = threading.Event()

    def keep_asking(url: str, method: str, route: str) -> None:
        with Raw(url) as raw:
            while not over.is_set():
                statuses.add(raw.http.request(method, route).status_code)

    with LocalServer(tmp_path) as running, Raw(running.url) as raw:
        model_id = raw.model()
        route = f"training_runs/{model_id}/checkpoints/weights/a"
        with ThreadPoolExecutor() as pool:
            for method, end in (("DELETE", ""), ("GET", "/download"), ("GET", "/archive")):
                pool.submit(keep_asking, running.url, method, f"{route}{end}")
            for number in range(1, 61):
                saved = raw.do("save_weights", save(model_id, number, "a", overwrite=True))
                assert saved["type"] == "save_weights"
            over.set()
        assert statuses <= {200, 204, 302, 404, 425}
        raw.do("save_weights", save(model_id, 61, "a", overwrite=True))
        raw.send("GET", f"{route}/download", 200)
    # Nothing is left but the last one, though no restart has cleaned up.
    (folder,) = (tmp_path / "checkpoints").glob("*/*/*/*")
    assert folder.name == "61"


# ---- by its time ------------------------------------------------------------------------------


def test_an_expired_checkpoint_is_gone_at_once_and_its_files_soon(
    timed: Raw, clock: Clock, tmp_path: Path
) -> None:
    model_id, route = timed.saved()
    path = f"tinker://{model_id}/weights/a"
    timed.do("save_weights", save(model_id, 2, "kept"))
    timed.send("PUT", f"{route}/ttl", 204, {"ttl_seconds": 3600})
    clock.forward(3599)
    assert timed.post("weights_info", {"tinker_path": path})["lora_rank"] == 4
    clock.forward(2)
    timed.post("weights_info", {"tinker_path": path}, 404)
    timed.send("GET", f"{route}/download", 404)
    timed.send("DELETE", route, 404)
    (left,) = timed.get("checkpoints")["checkpoints"]
    assert left["checkpoint_id"] == "weights/kept"
    assert timed.get(f"training_runs/{model_id}")["last_checkpoint"] == left
    while len(files(tmp_path)) > len(WHOLE):
        pass
    assert files(tmp_path) == [f"kept/{name}" for name in WHOLE]
    events = [entry["event"] for entry in timed.get("audit")["entries"]]
    assert events.count("checkpoint_expired") == 1


def test_nobody_needs_to_ask_for_an_expired_checkpoint_to_be_deleted(
    timed: Raw, clock: Clock, tmp_path: Path
) -> None:
    timed.do("save_weights", save(timed.model(), 1, "a", ttl_seconds=60))
    clock.forward(61)
    while files(tmp_path):
        pass
    assert count(tmp_path, "checkpoints") == 0


def test_a_time_to_live_can_be_set_counts_from_then_and_can_be_cleared(
    timed: Raw, clock: Clock
) -> None:
    _, route = timed.saved()

    def lifetime() -> Any:
        (listed,) = timed.get("checkpoints")["checkpoints"]
        return listed["expires_at"]

    assert lifetime() is None
    timed.send("PUT", f"{route}/ttl", 204, {"ttl_seconds": 3600})
    first = lifetime()
    assert first.endswith("Z")
    clock.forward(1800)
    timed.send("PUT", f"{route}/ttl", 204, {"ttl_seconds": 3600})
    assert lifetime() > first
    timed.send("PUT", f"{route}/ttl", 204, {"ttl_seconds": None})
    assert lifetime() is None
    clock.forward(10**6)
    assert lifetime() is None


@pytest.mark.parametrize(
    "body", [{}, {"ttl_seconds": 0}, {"ttl_seconds": 1.5}, {"ttl_seconds": "1"}]
)
def test_an_invalid_time_to_live(anna: Raw, body: Any) -> None:
    _, route = anna.saved()
    (issue,) = anna.send("PUT", f"{route}/ttl", 422, body).json()["detail"]
    assert "ttl_seconds" in f"{issue['loc']} {issue['msg']}"
    listed = anna.get("checkpoints")["checkpoints"]
    assert not [one for one in listed if one["expires_at"] is not None]


def test_a_signed_url_expires(timed: Raw, clock: Clock) -> None:
    _, route = timed.saved()
    url = timed.send("GET", f"{route}/archive", 302).headers["location"]
    clock.forward(3500)
    assert timed.http.get(url).status_code == 200
    clock.forward(101)
    gone = timed.http.get(url)
    assert (gone.status_code, gone.json()["detail"]) == (
        410,
        "This URL has expired; ask for a new one",
    )


def test_results_that_nobody_reads_are_kept_for_a_day(timed: Raw, clock: Clock) -> None:
    model_id = timed.model()
    early = timed.post("forward_backward", forward_backward(model_id, 1))
    failed = timed.post(
        "load_weights",
        {"path": "tinker://x/weights/y", "optimizer": True, "model_id": model_id, "seq_id": 2},
    )
    last = timed.do("forward_backward", forward_backward(model_id, 3))
    assert last["type"] == "forward_backward"
    clock.forward(86399)
    assert timed.result(early)["type"] == "forward_backward"
    unread = timed.post("forward_backward", forward_backward(model_id, 4))
    timed.do("forward_backward", forward_backward(model_id, 5))
    clock.forward(86401)
    assert timed.poll(unread).status_code == 410
    assert "was not read in time" in timed.poll(unread).json()["detail"]
    assert "no longer kept" in timed.poll(early).json()["detail"]
    assert timed.result(failed)["type"] == "request_failed"  # what went wrong is always to be had


def test_ephemeral_weights_outlive_their_session_by_an_hour(
    timed: Raw, clock: Clock, tmp_path: Path
) -> None:
    session_id = timed.session()
    model_id = timed.model(session_id)
    body = {"model_id": model_id, "seq_id": 1, "sampling_session_seq_id": 0}
    sampler_id = timed.do("save_weights_for_sampler", body)["sampling_session_id"]
    first = timed.do("asample", sample(sampler_id, 0))["sequences"]
    timed.post(f"sessions/{session_id}/finish", {"reason": {"type": "success"}})
    clock.forward(3000)
    assert timed.do("asample", sample(sampler_id, 1))["sequences"] == first
    clock.forward(3000)  # the session is over for long, but somebody has just sampled
    assert timed.do("asample", sample(sampler_id, 2))["sequences"] == first
    clock.forward(3601)
    while count(tmp_path, "ephemeral_weights"):
        pass
    gone = timed.post("asample", sample(sampler_id, 3), 410)["detail"]
    assert gone == f"The weights of {sampler_id} are no longer kept: its session has ended"
    timed.post("asample", sample(sampler_id, 2))  # a repeated request has its promise
    assert timed.get(f"samplers/{sampler_id}")["sampler_id"] == sampler_id


def test_ephemeral_weights_stay_while_heartbeats_come(
    timed: Raw, clock: Clock, tmp_path: Path
) -> None:
    session_id = timed.session()
    model_id = timed.model(session_id)
    body = {"model_id": model_id, "seq_id": 1, "sampling_session_seq_id": 0}
    sampler_id = timed.do("save_weights_for_sampler", body)["sampling_session_id"]
    clock.forward(3800)
    timed.post("session_heartbeat", {"session_id": session_id})
    clock.forward(3800)
    assert timed.do("asample", sample(sampler_id, 0))["type"] == "sample"
    clock.forward(3901)  # an hour after the five minutes in which a heartbeat is waited for
    while count(tmp_path, "ephemeral_weights"):
        pass


# ---- through a crash --------------------------------------------------------------------------


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ServerProcess(data) as server, Raw(server.url) as raw:
        routes = {}
        model_id = raw.model()
        for number, name in enumerate(("deleted", "published", "withdrawn", "limited"), 1):
            raw.do("save_weights", save(model_id, number, name))
            routes[name] = f"training_runs/{model_id}/checkpoints/weights/{name}"
        source = {"source_path": f"tinker://{model_id}/weights/published"}
        copy = raw.post("copy_weights", source, **{"X-Idempotency-Key": "k"})
        url = raw.send("GET", f"{routes['published']}/archive", 302).headers["location"]
        content = raw.http.get(url).content
        raw.send("POST", f"{routes['withdrawn']}/publish", 204)
        raw.send("PUT", f"{routes['limited']}/ttl", 204, {"ttl_seconds": 3600})
        raw.send("POST", f"{routes['published']}/publish", 204)
        raw.send("DELETE", f"{routes['withdrawn']}/publish", 204)
        raw.send("DELETE", routes["deleted"], 204)
        before = raw.get(f"training_runs/{model_id}/checkpoints")
        server.kill()
    with ServerProcess(data, port=server.port) as server, Raw(server.url) as raw:
        assert raw.get(f"training_runs/{model_id}/checkpoints") == before
        shown = {
            one["checkpoint_id"]: (one["public"], one["expires_at"] is not None)
            for one in before["checkpoints"]
        }
        assert shown == {
            "weights/published": (True, False),
            "weights/withdrawn": (False, False),
            "weights/limited": (False, True),
        }
        raw.send("DELETE", routes["deleted"], 404)
        assert raw.post("copy_weights", source, **{"X-Idempotency-Key": "k"}) == copy
        # The secret of signed URLs, and the bytes of an archive, are the same.
        assert raw.http.get(url).content == content
        on_disk = {name.partition("/")[0] for name in files(data)}
        assert on_disk == {"published", "withdrawn", "limited"}
