"""The server as its clients see it: plain HTTP over a socket on 127.0.0.1, and no client library."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from raw_client import Gate, Raw

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
