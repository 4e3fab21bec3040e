"""Servers for clients of other APIs: one that says what a test wants, one with two users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.scripted_engine import ScriptedEngine
from tinker_local import LocalServer

MODEL = "tinker-local/tiny"
KEY = "tml-test"


class Said:
    """A server whose model says these texts, one a sample."""

    def __init__(self, url: str, engine: ScriptedEngine) -> None:
        self.url = url
        self.engine = engine


@pytest.fixture
def saying() -> Iterator[Callable[..., Said]]:
    with ExitStack() as stack:

        def start(*texts: str) -> Said:
            engine = ScriptedEngine(*texts)
            return Said(stack.enter_context(LocalServer(engine=engine)).url, engine)

        yield start


@pytest.fixture(scope="session")
def two_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text("tml-anna anna\ntml-bert bert\n")
    with LocalServer(keys=Path(keys)) as server:
        yield server.url
