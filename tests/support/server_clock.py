"""A server's clock that tests set forward, for what happens in time."""

from __future__ import annotations

import time


class Clock:
    """The real one, and what it was set forward by."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def forward(self, seconds: float) -> None:
        self._ahead += seconds
