"""Faults: what goes wrong between client and server is ridden out, or said; nothing is lost or done twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scripted_server import ScriptedServer

import tinker
from tinker import _polling, _retry


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after a third of a second."""
    monkeypatch.setattr(_retry, "BILLING_PAUSE", 0.01)
    quick = _retry.RetryPolicy(budget=0.3, fault_budget=0.3, first_pause=0.01, longest_pause=0.02)
    monkeypatch.setattr(_polling, "GIVE_UP", quick)
    original = _retry.Attempts.pause

    def pause(self: _retry.Attempts, status: int | None, headers: object) -> float | None:
        if self.policy in (_retry.DEFAULT, _retry.CREATION, _retry.PERSISTENT):
            self.policy = quick
        return original(self, status, headers)  # type: ignore[arg-type]

    monkeypatch.setattr(_retry.Attempts, "pause", pause)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def training(server: ScriptedServer) -> Iterator[tinker.TrainingClient]:
    with tinker.ServiceClient(base_url=server.url, api_key="tml-secret") as service:
        yield service.create_lora_training_client("m").result(timeout=10)
