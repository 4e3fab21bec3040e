"""Short pauses between the client's tries, so that tests with many tries are quick."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tinker._protocol import retry


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the rest of the test: by the random factor pauses have anyway."""
    monkeypatch.setattr(retry, "random", SimpleNamespace(uniform=lambda low, high: 0.05))
