"""What all tests share: deterministic properties, and embedded servers over a real socket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")

for name in list(os.environ):
    if name.startswith("TINKER_"):
        del os.environ[name]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The base URL of an embedded server that tests share."""
    from tinker_local import LocalServer

    with LocalServer() as running:
        yield running.url


@pytest.fixture
def repository() -> Path:
    return Path(__file__).parent.parent
