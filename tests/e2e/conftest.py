"""End to end: the client against the embedded server, over a real socket on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tinker
from tests.support import pauses

MODEL = "tinker-local/tiny"


@pytest.fixture(autouse=True)
def quick_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses.shorten(monkeypatch)


@pytest.fixture
def service(server: str) -> Iterator[tinker.ServiceClient]:
    with tinker.ServiceClient(base_url=server) as client:
        yield client


@pytest.fixture
def training(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client(MODEL, rank=4, seed=7).result(timeout=60)
