"""The order of one training run's operations.

A call takes a `Turn` at once, in the caller's thread, so that calls take effect in the order in which they
are made. Turns come up one after the other on the event loop: the requests of a call are sent once those of
the previous call have a promise or are rejected. A `seq_id` is drawn when its turn has come, so that a call
that was rejected as a whole leaves no gap.

Nothing here does I/O.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self


class Sequencer:
    """One counter and one queue for all training operations of one model."""

    def __init__(self, first_seq_id: int = 1) -> None:
        self._lock = threading.Lock()
        self._next_seq_id = first_seq_id
        self._next_number = 0
        self._last: Turn | None = None
        self._poison: Exception | None = None

    def turn(self) -> Turn:
        """The place behind all turns taken so far. From any thread."""
        with self._lock:
            turn = Turn(self, self._last, self._next_number)
            self._last = turn
            self._next_number += 1
            return turn

    @property
    def next_number(self) -> int:
        """The number of the next turn."""
        return self._next_number

    def go_on_at(self, number: int) -> None:
        """Give the next turn this number, as turns before it were taken in an earlier process."""
        with self._lock:
            self._next_number = number

    def check(self) -> None:
        """Raise the error that poisoned the run, if it is poisoned."""
        if self._poison is not None:
            raise self._poison

    @property
    def is_poisoned(self) -> bool:
        return self._poison is not None

    @property
    def next_seq_id(self) -> int:
        """The next number."""
        return self._next_seq_id

    def _draw(self, count: int) -> list[int]:
        first = self._next_seq_id
        self._next_seq_id += count
        return list(range(first, first + count))


class Turn:
    """A call's place in the order: `async with turn:` runs its body when all earlier turns are done."""

    __slots__ = ("_before", "_over", "_sequencer", "_waiter", "number")

    def __init__(self, sequencer: Sequencer, before: Turn | None, number: int) -> None:
        self.number = number
        """How many calls were made before it, from the first of the program."""
        self._sequencer = sequencer
        self._before = before
        self._over = False
        self._waiter: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        # Only the end of the session cancels operations before their turn, and then all of them.
        before, self._before = self._before, None
        try:
            if before is not None and not before._over:
                before._waiter = asyncio.get_running_loop().create_future()
                await before._waiter
            self._sequencer.check()
        except BaseException:
            self.end()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Let the next turn begin."""
        self._over = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def draw(self, count: int = 1) -> list[int]:
        """Draw the next `count` consecutive numbers. Only inside the turn."""
        return self._sequencer._draw(count)

    def return_numbers(self, seq_ids: list[int]) -> None:
        """Return numbers that the server has rejected; they must be the last ones drawn."""
        assert seq_ids[-1] == self._sequencer._next_seq_id - 1
        self._sequencer._next_seq_id = seq_ids[0]

    def poison(self, error: Exception) -> None:
        """Fail all later turns with this error."""
        self._sequencer._poison = error
