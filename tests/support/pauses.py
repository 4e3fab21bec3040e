"""Short pauses between the client's tries, so that tests of servers that fail are quick."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import tinker
from tinker._protocol import retry


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the rest of the test: by the random factor pauses have anyway."""
    monkeypatch.setattr(retry, "random", SimpleNamespace(uniform=lambda low, high: 0.05))


def give_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the rest of the test: a server that has never responded is tried once."""
    monkeypatch.setattr(retry, "FIRST_CONTACT", tinker.RetryPolicy(budget=0))
