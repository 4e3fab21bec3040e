"""Back-pressure: samples are sent as fast as the server accepts them, in the order of the calls.

A 429 means "later", not "no". It holds back all samples of the session, for the time in `Retry-After` or else 1 s,
doubling to 10 s while the server keeps returning it; then the same request is sent again, before those of later calls.
This has no time limit; a log line reports the wait (see `progress`). A 402 does the same while billing may be paused:
5 s each time, for as long as the server's settings allow.

To spare a full server, the number of requests that are sent at the same time is halved after a pause, and raised by one
when as many were accepted.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from tinker import _log
from tinker._protocol import retry
from tinker._protocol.byte_budget import ByteBudget
from tinker._protocol.progress import Progress
from tinker._protocol.telemetry import Telemetry


class _HasStatus(Protocol):
    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


R = TypeVar("R", bound=_HasStatus)

MAX_BEING_SENT = 64
"""Maximum number of requests being sent at the same time. Those that wait for results do not count."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0


class Backpressure:
    """The gate through which all samples of a session are sent. Used only on the library's event loop."""

    def __init__(self, bytes_limit: int, telemetry: Telemetry) -> None:
        self.byte_budget = ByteBudget(bytes_limit)
        self._telemetry = telemetry
        self.billing_budget = 3600.0
        self._tickets = itertools.count()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        """By ticket."""
        self._sending = 0
        self._width = float(MAX_BEING_SENT)
        self._resume_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._pause = _FIRST_PAUSE
        self._unpaid_since: float | None = None

    async def send(self, send: Callable[[], Awaitable[R]], size: int, progress: Progress) -> R:
        """Send a sample's request, and return the response once it is not a 429 or 402.

        Args:
            send: Sends it once, and may return a 429 or a 402.
            size: Its size in bytes, roughly.
            progress: Is told what the sample waits for.
        """
        ticket = next(self._tickets)
        progress.doing = "waiting for other samples to be sent"
        refused: int | None = None
        attempt = 0
        turn = self._queue(ticket)
        while True:
            began = time.monotonic()
            try:
                await self._wait(turn)
            finally:
                if refused is not None:
                    self._telemetry.waited(time.monotonic() - began, str(refused))
            attempt += 1
            try:
                await self.byte_budget.take(size)
                try:
                    progress.doing = "waiting for the server to accept the request"
                    response = await send()
                finally:
                    self.byte_budget.release(size)
                if response.status_code == 429:
                    self._push_back(retry.retry_after(response.headers))
                    progress.doing = "waiting because the server accepts no more samples now (429)"
                elif response.status_code == 402 and self._may_be_paid():
                    self._push_back(retry.BILLING_PAUSE)
                    progress.doing = "waiting because billing is paused (402)"
                else:
                    self._taken()
                    return response
                refused = response.status_code
                pause = max(0.0, self._resume_at - time.monotonic())
                _log.SAMPLE_HELD_BACK(operation=progress.name(), status=refused)
                self._telemetry.retrying(progress.operation, progress, attempt, str(refused), pause)
                # Before its place is free: the pause may be over, and a later ticket would take it.
                turn = self._queue(ticket)
            finally:
                self._leave()

    # ---- one after the other ----------------------------------------------------------------

    def _queue(self, ticket: int) -> asyncio.Future[None]:
        """Its turn comes when all lower tickets are being sent and there is room."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (ticket, turn))
        self._let_in()
        return turn

    async def _wait(self, turn: asyncio.Future[None]) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self._sending -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._sending < int(self._width):
            left = self._resume_at - time.monotonic()
            if left > 0:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(left, self._resume)
                return
            _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # cancelled in the meantime
                self._sending += 1
                turn.set_result(None)

    def _resume(self) -> None:
        self._timer = None
        self._let_in()

    # ---- what the server says ---------------------------------------------------------------

    def _push_back(self, asked: float | None) -> None:
        now = time.monotonic()
        if now < self._resume_at:
            return  # another request has got the same response
        self._resume_at = now + (asked or retry.jittered(self._pause))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._width = max(self._width / 2, 1.0)

    def _may_be_paid(self) -> bool:
        now = time.monotonic()
        if self._unpaid_since is None:
            self._unpaid_since = now
        return now + retry.BILLING_PAUSE - self._unpaid_since <= self.billing_budget

    def _taken(self) -> None:
        self._pause = _FIRST_PAUSE
        self._unpaid_since = None
        self._width = min(self._width + 1 / self._width, MAX_BEING_SENT)
