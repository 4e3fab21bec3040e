"""Polls that are never answered: found within a minute, without a result lost or a request too many."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer
from tinker._protocol import polling

RESULT: Answer = (200, {"type": "optim_step", "metrics": {"a": 1.0}})
PENDING: Answer = (200, {"type": "try_again", "request_id": "r", "queue_state": "active"})
FAILED: Answer = (200, {"error": "out of luck", "category": "server"})


class Swallowing(ScriptedServer):
    """Never answers the polls with these numbers, counted from the last `swallow`; answers the others as scripted."""

    def swallow(self, *numbers: int) -> None:
        self.numbers, self.polls, self.ended = numbers, 0, threading.Event()

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        if operation == "retrieve_future" and hasattr(self, "numbers"):
            with self._lock:
                number, self.polls = self.polls, self.polls + 1
            if number in self.numbers:
                self.ended.wait(30)
                return PENDING
        return super().answer(operation, content, headers)


@pytest.fixture
def server() -> Iterator[Swallowing]:
    with Swallowing() as running:
        yield running
        running.ended.set()


@pytest.fixture
def training(server: Swallowing) -> Iterator[tinker.TrainingClient]:
    with tinker.ServiceClient(base_url=server.url) as service:
        yield service.create_lora_training_client("m").result(timeout=10)


def step(training: tinker.TrainingClient) -> Any:
    return training.optim_step().result(timeout=20).metrics


def test_a_swallowed_poll_is_overtaken(
    server: Swallowing, training: tinker.TrainingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert polling.SILENCE < 60
    monkeypatch.setattr(polling, "SILENCE", 0.1)
    server.script(retrieve_future=[RESULT])
    server.swallow(0)
    assert step(training) == {"a": 1.0}
    assert server.polls == 2
    assert len(server.seen["optim_step"]) == 1


def test_after_a_swallowed_poll_the_waiting_goes_on(
    server: Swallowing, training: tinker.TrainingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "SILENCE", 0.1)
    server.script(retrieve_future=[PENDING, PENDING, RESULT])
    server.swallow(0)
    assert step(training) == {"a": 1.0}
    assert server.polls == 4


def test_a_failure_that_the_second_poll_hears_of_is_the_failure(
    server: Swallowing, training: tinker.TrainingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "SILENCE", 0.1)
    server.script(retrieve_future=[FAILED])
    server.swallow(0)
    with pytest.raises(tinker.RequestFailedError, match="out of luck"):
        step(training)


def test_a_poll_that_the_server_holds_is_not_given_up(
    server: Swallowing, training: tinker.TrainingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are held; the first one's result counts, and there is never a third."""
    monkeypatch.setattr(polling, "SILENCE", 0.05)
    server.script(retrieve_future=[RESULT])
    server.swallow(0, 1)
    future = training.optim_step()
    with pytest.raises(TimeoutError):
        future.result(timeout=0.5)
    assert server.polls == 2
    server.ended.set()  # they are pending, and the next one has the result
    assert future.result(timeout=20).metrics == {"a": 1.0}
    assert server.polls == 3
