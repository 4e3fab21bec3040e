"""How far a transfer is, on one line of the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO, TypeAlias

ProgressCallback: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes that are there and the total, None if unknown."""
INTERVAL = 0.1
"""Seconds between two changes of the line."""


def callback_of(progress: ProgressCallback | bool | None, verb: str) -> ProgressCallback | None:
    """What to call as a transfer goes on. True is the line, if there is a terminal to show it."""
    if isinstance(progress, bool):
        return TransferDisplay(verb, sys.stderr) if progress and sys.stderr.isatty() else None
    return progress


class TransferDisplay:
    """Writes `Downloading 45% of 120.0 MB, 8 s left`, and ends the line when all is there."""

    def __init__(
        self, verb: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._verb, self._stream, self._clock = verb, stream, clock
        self._begun: tuple[float, int] | None = None
        self._shown = -INTERVAL
        self._width = 0
        self._ended = False

    def __call__(self, done: int, total: int | None) -> None:
        now = self._clock()
        if self._begun is None:
            self._begun = (
                now,
                done,
            )  # what an earlier attempt has transferred says nothing about the speed
        complete = done == total
        if self._ended or (now - self._shown < INTERVAL and not complete):
            return
        self._shown, self._ended = now, complete
        line = f"{self._verb} {self._text(done, total, now)}"
        self._stream.write("\r" + line.ljust(self._width) + ("\n" if complete else ""))
        self._stream.flush()
        self._width = len(line)

    def _text(self, done: int, total: int | None, now: float) -> str:
        if total is None:
            return _size(done)
        if done == total:
            return f"100% of {_size(total)}"
        assert self._begun is not None
        since, before = self._begun
        left = ""
        if done > before and now - since >= 1:
            left = f", {(total - done) * (now - since) / (done - before):.0f} s left"
        return f"{done / total:.0%} of {_size(total)}{left}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
