"""Nobody waits in silence: whatever a server holds for long appears in the log, and in the timeout's message."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer
from tinker._protocol import progress


class Holding(ScriptedServer):
    """Holds the requests of one operation until they are let go."""

    def __init__(self, operation: str, **answers: list[Answer]) -> None:
        super().__init__(**answers)
        self._operation = operation
        self.let_go = threading.Event()

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        if operation == self._operation:
            assert self.let_go.wait(10)
        return super().answer(operation, content, headers)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Waits for a line of the log that has a text, and returns it."""
    monkeypatch.setattr(progress, "FIRST_REPORT", 0.02)
    monkeypatch.setattr(progress, "REPORT_INTERVAL", 0.02)
    lines: list[str] = []
    more = threading.Condition()

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            with more:
                lines.append(record.getMessage())
                more.notify_all()

    def wait_for(text: str) -> str:
        with more:
            assert more.wait_for(lambda: any(text in line for line in lines), 10), lines
            return next(line for line in lines if text in line)

    handler = Lines()
    logging.getLogger("tinker").addHandler(handler)
    yield wait_for
    logging.getLogger("tinker").removeHandler(handler)


MODELS = (200, {"supported_models": [{"model_name": "m"}]})
CALLS: dict[str, tuple[str, Callable[[tinker.ServiceClient], Any]]] = {
    # What is asked for by each call, and held; what the log names.
    "config": ("create_model", lambda s: s.create_lora_training_client("m").result(10)),
    "create_session": ("create_model", lambda s: s.create_lora_training_client("m").result(10)),
    "create_model": ("create_model", lambda s: s.create_lora_training_client("m").result(10)),
    "get_server_capabilities": (
        "get_server_capabilities",
        lambda s: s.get_server_capabilities(),
    ),
    "create_sampling_session": (
        "create_sampling_session",
        lambda s: s.create_sampling_client(base_model="m").result(10),
    ),
    "ttl": (
        "set_checkpoint_ttl",
        lambda s: (
            s.create_rest_client()
            .set_checkpoint_ttl_from_tinker_path("tinker://r/weights/a", 60)
            .result(10)
        ),
    ),
    "weights_info": (
        "weights_info",
        lambda s: (
            s.create_rest_client()
            .get_weights_info_by_tinker_path("tinker://r/weights/a")
            .result(10)
        ),
    ),
}


@pytest.mark.parametrize("held", CALLS)
def test_what_a_server_holds_is_reported(held: str, said: Callable[[str], str]) -> None:
    name, make = CALLS[held]
    answers: dict[str, Any] = {
        "get_server_capabilities": [MODELS],
        "ttl": [(200, {})],
        "weights_info": [(200, {"base_model": "m", "is_lora": True})],
    }
    done: list[Any] = []
    with Holding(held, **answers) as server:
        client = tinker.ServiceClient(base_url=server.url)
        caller = threading.Thread(target=lambda: done.append(make(client)))
        caller.start()
        try:
            line = said("Still waiting for")
        finally:
            server.let_go.set()
            caller.join(10)
        client.close().result(10)
    assert line.startswith(f"Still waiting for {name}")
    assert "s since it was submitted" in line
    assert len(done) == 1
