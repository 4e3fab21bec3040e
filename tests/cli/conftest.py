"""The command against the embedded server: inside this process, and where that matters as a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinker
from tests.support.command import Cli
from tests.support.command_here import CliHere


@pytest.fixture
def cli(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliHere:
    return CliHere(server, tmp_path, monkeypatch)


@pytest.fixture
def process(server: str, tmp_path: Path) -> Cli:
    return Cli(server, tmp_path)


@pytest.fixture
def saved(server: str) -> tuple[str, str]:
    """A run with a training and a sampler checkpoint; their paths."""
    with tinker.ServiceClient(base_url=server) as service:
        client = service.create_lora_training_client("tinker-local/tiny", rank=4, seed=1).result()
        return client.save_state("state").result().path, client.save_weights_for_sampler(
            "sampler"
        ).result().path
