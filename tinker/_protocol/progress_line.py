"""One line on stderr that says how far something is, rewritten in place; nothing where stderr is not a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[int, int | None], None]
"""Called with how much is done and how much there is, None if that is not known."""

INTERVAL = 0.2
"""Seconds between two texts, at least."""


class ProgressLine:
    """Shows one text after the other; the line is empty again when it is closed."""

    def __init__(self) -> None:
        stream = sys.stderr
        self._stream = stream if stream is not None and stream.isatty() else None
        self._began = time.monotonic()
        self._shown = float("-inf")

    @property
    def is_seen(self) -> bool:
        """Whether there is a terminal."""
        return self._stream is not None

    def show(self, text: Callable[[], str]) -> None:
        """Show a text, unless the last one is not `INTERVAL` old."""
        now = time.monotonic()
        if self._stream is None or now - self._shown < INTERVAL:
            return
        self._shown = now
        width = shutil.get_terminal_size().columns - 1
        shown = text()
        if len(shown) > width:
            shown = shown[: width - 1] + "…"
        self._stream.write(f"\r{shown}\x1b[K")
        self._stream.flush()

    def left(self, done: int, total: int | None) -> str:
        """The time left, if the rest goes as what is done did; empty if that cannot be known."""
        if not total or not done:
            return ""
        seconds = (time.monotonic() - self._began) / done * (total - done)
        return f", {duration(seconds)} left"

    def close(self) -> None:
        if self._stream is not None and self._shown > 0:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def of_bytes(
    progress: ProgressCallback | bool | None, what: str
) -> Iterator[ProgressCallback | None]:
    """What to call as bytes arrive: the caller's own function, or for True the line.

    Raises:
        TypeError: `progress` is neither.
    """
    if progress is None or progress is False:
        yield None
        return
    if progress is not True:
        if not callable(progress):
            raise TypeError(f"progress is {progress!r}; it must be True, or a function of two integers.")  # fmt: skip
        yield progress
        return
    line = ProgressLine()

    def tell(done: int, total: int | None) -> None:
        of = f" of {total / 1e6:,.1f}" if total else ""
        line.show(lambda: f"{what}: {done / 1e6:,.1f}{of} MB{line.left(done, total)}")

    try:
        yield tell
    finally:
        line.close()
