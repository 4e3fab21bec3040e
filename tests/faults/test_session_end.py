"""How a session lives and ends: heartbeats, and what the server is told at the end."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading

import pytest

import tinker
from tests.support.scripted_server import ScriptedServer
from tinker._protocol import liveness

START = """
import tinker
service = tinker.ServiceClient(api_key="tml-x")
service.create_lora_training_client("m").result(timeout=10)
"""


def run(script: str, server: ScriptedServer) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + script],
        env={**os.environ, "TINKER_BASE_URL": server.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("", "success"),
        ("raise SystemExit(0)", "success"),
        ("raise ValueError('mine')", "errored"),
        ("raise KeyboardInterrupt", "interrupted"),
        ("with service: pass", "success"),
        ("with service: raise ValueError('mine')", "errored"),
        ("service.close('interrupted', 'said so').result()", "interrupted"),
    ],
)
def test_the_interpreters_exit_finishes_the_session_once(script: str, reason: str) -> None:
    with ScriptedServer() as server:
        result = run(script, server)
    assert [f["reason"] for f in server.seen["finish"]] == [{"type": reason}], result.stderr
    # Nothing is printed but what the script itself has raised.
    assert "tinker" not in result.stderr.replace("import tinker", "")


def test_ctrl_c_while_waiting_ends_at_once_and_is_reported() -> None:
    waiting = threading.Event()

    class Server(ScriptedServer):
        def answer(self, operation, content, headers):  # type: ignore[no-untyped-def]
            if operation == "retrieve_future" and self.seen["optim_step"]:
                waiting.set()
            return super().answer(operation, content, headers)

    with Server() as server:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                # A job in the background has SIGINT ignored, and its children inherit that.
                "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
                + START.replace(".result(timeout=10)", ".result(timeout=10).optim_step().result()"),
            ],
            env={**os.environ, "TINKER_BASE_URL": server.url},
            stderr=subprocess.PIPE,
            text=True,
        )
        pending = {"type": "try_again", "request_id": "r", "queue_state": "active"}
        server.script(
            retrieve_future=[
                (200, {"type": "create_model", "model_id": "s:train:0"}),
                (200, pending),
            ]
        )
        assert waiting.wait(30)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert [f["reason"] for f in server.seen["finish"]] == [{"type": "interrupted"}]


def test_a_server_without_the_route_is_left_in_peace() -> None:
    with ScriptedServer(finish=[(404, {"detail": "Not Found"})]) as server:
        result = run("", server)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(server.seen["finish"]) == 1


class Beats(ScriptedServer):
    """Counts heartbeats."""

    def __init__(self, count: int, status: int = 200) -> None:
        super().__init__(session_heartbeat=[(status, {"type": "session_heartbeat", "detail": ""})])
        self.enough = threading.Event()
        self.finished = threading.Event()
        self._count = count

    def answer(self, operation, content, headers):  # type: ignore[no-untyped-def]
        result = super().answer(operation, content, headers)
        if len(self.seen["session_heartbeat"]) >= self._count:
            self.enough.set()
        if operation == "finish":
            self.finished.set()
        return result


@pytest.fixture(autouse=True)
def quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "HEARTBEAT_INTERVAL", 0.02)


def test_heartbeats_while_the_client_lives_and_none_after() -> None:
    with Beats(3) as server, tinker.ServiceClient(base_url=server.url) as service:
        training = service.create_lora_training_client("m").result(timeout=10)
        assert server.enough.wait(10)
        assert {beat["session_id"] for beat in server.seen["session_heartbeat"]} == {"s"}
        service.close().result(timeout=10)
        beats = len(server.seen["session_heartbeat"])
        with pytest.raises(tinker.TinkerError, match="closed: create a new ServiceClient"):
            service.create_lora_training_client("m").result(timeout=10)
    assert len(server.seen["session_heartbeat"]) == beats
    assert len(server.seen["finish"]) == 1
    assert training.model_id == "s:train:0"


def test_a_client_nobody_holds_is_finished() -> None:
    with Beats(2) as server:
        service = tinker.ServiceClient(base_url=server.url)
        service.create_lora_training_client("m").result(timeout=10)
        assert server.enough.wait(10)
        del service
        gc.collect()
        assert server.finished.wait(10)
        assert server.seen["finish"][0]["reason"] == {"type": "success"}


def test_410_ends_the_heartbeats(caplog: pytest.LogCaptureFixture) -> None:
    with Beats(1, status=410) as server, tinker.ServiceClient(base_url=server.url) as service:
        service.create_lora_training_client("m").result(timeout=10)
        assert server.enough.wait(10)
        # Whatever else is asked takes longer than a heartbeat would.
        for _ in range(50):
            service.create_lora_training_client("m").result(timeout=10)
    assert len(server.seen["session_heartbeat"]) == 1
    assert "The server has ended the session s." in caplog.text


def test_the_holder_closes_without_an_argument() -> None:
    """As tools for the official SDK close it."""
    with ScriptedServer() as server:
        service = tinker.ServiceClient(base_url=server.url)
        training = service.create_lora_training_client("m").result(timeout=10)
        service.holder.close().result(timeout=10)
        (finish,) = server.seen["finish"]
        assert finish["reason"]["type"] == "success"
        with pytest.raises(tinker.TinkerError, match="closed"):
            training.optim_step().result(timeout=10)
