"""The server as its clients see it: plain HTTP over a socket on 127.0.0.1, and no client library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.raw_client import Gate, Raw
from tests.support.server_clock import Clock
from tinker_local import LocalServer
from tinker_local.options import Options


@pytest.fixture
def raw(server: str) -> Iterator[Raw]:
    with Raw(server) as client:
        yield client


@pytest.fixture
def engine() -> Gate:
    return Gate()


@pytest.fixture
def gated(engine: Gate) -> Iterator[Raw]:
    """A client of a server whose forward passes wait while `engine.gate` is not set."""
    options = Options(gap_seconds=3600.0)
    with LocalServer(engine=engine, options=options) as running, Raw(running.url) as client:
        yield client
        engine.gate.set()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that two users share, one of them an administrator."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("tml-anna anna admin\ntml-bert bert\n")
    with LocalServer(keys=file) as running:
        yield running.url


@pytest.fixture
def anna(shared: str) -> Iterator[Raw]:
    """The administrator."""
    with Raw(shared, "tml-anna") as client:
        yield client


@pytest.fixture
def bert(shared: str) -> Iterator[Raw]:
    with Raw(shared, "tml-bert") as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(tmp_path: Path, clock: Clock) -> Iterator[Raw]:
    """A client of a server with its data in `tmp_path`, whose time is `clock`, and which sweeps all the time."""
    options = Options(clock=clock, sweep_seconds=0.01)
    with LocalServer(tmp_path, options=options) as running, Raw(running.url) as client:
        yield client
