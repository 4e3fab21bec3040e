"""`make mock` returns the contract's examples to the low-level client. `make typescript` fetches what it runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinker_api import AuthenticatedClient
from tinker_api.api.service import get_server_capabilities
from tinker_api.api.training import optim_step
from tinker_api.models import GetServerCapabilitiesResponse, OptimStepRequest

OFFLINE = {**os.environ, "NPM_CONFIG_OFFLINE": "true"}


@pytest.fixture
def mock(repository: Path) -> Iterator[AuthenticatedClient]:
    there = subprocess.run(
        ["make", "prism-version"], cwd=repository, env=OFFLINE, capture_output=True, check=False
    )
    if there.returncode:
        pytest.skip("make typescript fetches Prism")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["make", "mock", f"PORT={port}"], cwd=repository, env=OFFLINE, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "is listening" in line:
                break
        else:
            pytest.fail("".join(lines))
        with AuthenticatedClient(base_url=f"http://127.0.0.1:{port}", token="tml-mock") as client:
            yield client
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)


def test_it_returns_examples_and_rejects_what_does_not_fit(mock: AuthenticatedClient) -> None:
    found = get_server_capabilities.sync_detailed(client=mock).parsed
    assert isinstance(found, GetServerCapabilitiesResponse)
    assert [model.model_name for model in found.supported_models] == ["tinker-local/tiny"]
    wrong = OptimStepRequest(model_id="a", seq_id=-1)
    assert optim_step.sync_detailed(client=mock, body=wrong).status_code == 422
