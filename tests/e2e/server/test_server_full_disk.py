"""A disk that is full: every response says so, and it ends without help, with nothing lost and nothing done twice."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.raw_client import Raw, forward_backward, optim_step, save
from tests.support.server_process import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of another process")


def fill(server: ServerProcess) -> None:
    """No file of the server may have more than 4 kB from now on: enough for its log alone."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))


def make_room(server: ServerProcess) -> None:
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


def poll(raw: Raw, promise: dict[str, Any]) -> dict[str, object]:
    answer: dict[str, object] = raw.poll(promise).json()
    return answer


def until_degraded(raw: Raw) -> str:
    while True:
        answer = raw.http.get("healthz")
        if answer.status_code == 503:
            return str(answer.json()["detail"])


def test_a_full_disk_is_reported_and_passes(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Raw(server.url) as raw:
        model_id = raw.model()
        before = raw.do("forward_backward", forward_backward(model_id, 1))
        fill(server)
        refused = raw.http.post("optim_step", json=optim_step(model_id, 2))
        assert refused.status_code == 503
        assert refused.json()["detail"].startswith("The server cannot write to its data folder: ")
        assert "Retry-After" in refused.headers
        assert until_degraded(raw).startswith("Degraded: the server cannot write")
        # What needs no writing goes on.
        promise = {"request_id": f"{model_id}:1", "model_id": model_id}
        assert poll(raw, promise)["metrics"] == before["metrics"]
        raw.get("training_runs")
        make_room(server)
        assert raw.get("healthz") == {"status": "ok"}
        stepped = raw.do("optim_step", optim_step(model_id, 2))
        after = raw.do("forward_backward", forward_backward(model_id, 3))
        assert server.log.read_text() == ""
    with ServerProcess(tmp_path / "other") as server, Raw(server.url) as raw:
        model_id = raw.model()
        assert raw.do("forward_backward", forward_backward(model_id, 1)) == before
        assert raw.do("optim_step", optim_step(model_id, 2)) == stepped
        assert raw.do("forward_backward", forward_backward(model_id, 3)) == after


def test_an_operation_that_cannot_be_recorded_waits_and_says_so(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Raw(server.url) as raw:
        model_id = raw.model()
        raw.do("forward_backward", forward_backward(model_id, 1))
        # It waits for seq_id 2, so that it is promised before the disk is full and runs after.
        last = raw.post("save_weights", save(model_id, 3, "a"))
        step = raw.post("optim_step", optim_step(model_id, 2, learning_rate=1e-3))
        fill(server)
        other = raw.http.post("forward_backward", json=forward_backward(model_id, 4, "x" * 50_000))
        assert other.status_code == 503
        until_degraded(raw)
        make_room(server)
        assert raw.result(step)["type"] == "optim_step"
        assert raw.result(last)["path"] == f"tinker://{model_id}/weights/a"
        assert raw.get("healthz") == {"status": "ok"}
        assert len(server.log.read_text().splitlines()) <= 1  # not one a second


def test_polls_say_that_the_disk_is_full(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Raw(server.url) as raw:
        model_id = raw.model()
        text = "a long text " * 75
        first = raw.post("forward_backward", forward_backward(model_id, 1, *[text] * 4))
        step = raw.post("optim_step", optim_step(model_id, 2))
        fill(server)  # while the engine computes
        detail = until_degraded(raw)
        answer = poll(raw, step)
        assert answer["type"] == "try_again"
        assert answer["queue_state"] == "paused_capacity"
        assert detail.removeprefix("Degraded: ") in str(answer["queue_state_reason"])
        make_room(server)
        assert raw.result(first)["type"] == "forward_backward"
        assert raw.result(step)["type"] == "optim_step"
        assert len(server.log.read_text().splitlines()) == 1
