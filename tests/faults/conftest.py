"""Faults: what goes wrong between client and server is survived or reported; nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tinker
from tests.support import pauses
from tests.support.scripted_server import ScriptedServer
from tinker._protocol import polling, retry


@pytest.fixture(autouse=True)
def quick_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly every server here makes the client try again."""
    pauses.shorten(monkeypatch)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after a third of a second."""
    monkeypatch.setattr(retry, "BILLING_PAUSE", 0.01)
    quick = tinker.RetryPolicy(budget=0.3, fault_budget=0.3, first_pause=0.01, longest_pause=0.02)
    monkeypatch.setattr(polling, "GIVE_UP", quick)
    original = retry.Attempts.pause

    def pause(
        self: retry.Attempts, status: int | None, headers: object, *, doubtful: bool = False
    ) -> float | None:
        if self.policy in (retry.DEFAULT, retry.CREATION, retry.PERSISTENT, retry.FIRST_CONTACT):
            self.policy = quick
        return original(self, status, headers, doubtful=doubtful)  # type: ignore[arg-type]

    monkeypatch.setattr(retry.Attempts, "pause", pause)
    monkeypatch.setattr(retry, "first_pause", lambda: 0.01)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def training(server: ScriptedServer) -> Iterator[tinker.TrainingClient]:
    with tinker.ServiceClient(base_url=server.url, api_key="tml-secret") as service:
        yield service.create_lora_training_client("m").result(timeout=10)
