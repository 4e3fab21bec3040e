"""The completions feed: one long poll says which samples of a client are done, instead of one poll for each.

`retrieve_futures` names finished samples by request_id; each result is then fetched at once, by a single
`retrieve_future`. So thousands of pending samples take one connection, and results a bounded number. What was fetched
is acknowledged with the next poll, and the server may drop it.

There is a poll only while somebody waits, and a last one, which the server does not hold, for acknowledgements that
are left over. A server that does not have the route, or whose feed fails for good, is asked for each result instead;
a refusal is believed when it comes twice in a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import time
from collections.abc import AsyncIterator
from logging import INFO, WARNING
from typing import TypeAlias

from attrs import evolve

from tinker import _log
from tinker._protocol import retry
from tinker._protocol.connection import Connection
from tinker._protocol.polling import GIVE_UP
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE
from tinker.errors import APIStatusError, TinkerError
from tinker_api.api.futures import retrieve_futures
from tinker_api.models import (
    FutureFailed,
    FutureFinished,
    FuturesRetrieveRequest,
    SamplingSessionFuturesTarget,
)

Completion: TypeAlias = FutureFinished | FutureFailed

POLL_TIMEOUT = 45.0
"""Seconds for one poll; servers hold it for about 30."""
ACK_TIMEOUT = 5.0
ACK_DELAY = 1.0
"""Seconds in which a new sample may take acknowledgements along, before they are sent alone."""
MOST_ACKS = 1000
"""In one poll."""
MOST_FETCHED = 64
"""Results being fetched at once."""
_POLICY = evolve(GIVE_UP, fault_budget=15.0)
"""Shorter than that of other polls: without the feed, each sample is asked for by itself."""
_BATCHING = 0.02
"""Seconds between polls that find something, so that completions come by the dozen."""
_HELD = 0.5
_LONGEST_PAUSE = 1.0


class CompletionsFeed:
    """The feed of one sampler's client, or of one of its clones. Used on the library's event loop only."""

    def __init__(self, connection: Connection, sampler_id: str, clone_id: int) -> None:
        self.error: TinkerError | None = None
        """Why it is over, if it is."""
        self._connection = connection
        self._target = SamplingSessionFuturesTarget(
            sampling_session_id=sampler_id, cloned_sampler_id=clone_id
        )
        self._progress = Progress("retrieve_futures", {"sampling_session_id": sampler_id})
        if clone_id:
            self._progress.ids["clone"] = str(clone_id)
        self._cursor = 0
        self._waiting: dict[str, asyncio.Future[Completion | None]] = {}
        self._early: dict[str, Completion] = {}
        """Completions that came before the promise did."""
        self._abandoned: set[str] = set()
        self._retrieved: dict[str, None] = {}
        """Results to be acknowledged, the oldest first."""
        self._polling: asyncio.Task[None] | None = None
        self._acknowledging: asyncio.TimerHandle | None = None
        self._fetching = asyncio.Semaphore(MOST_FETCHED)

    async def wait(self, request_id: str) -> Completion | None:
        """How a sample has ended; None if the feed is over and cannot tell."""
        if (early := self._early.pop(request_id, None)) is not None or self.error is not None:
            return early
        done: asyncio.Future[Completion | None] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = done
        self._poll_on()
        try:
            return await done
        except asyncio.CancelledError:
            if done.cancelled():
                del self._waiting[request_id]
                self._abandoned.add(request_id)
            else:
                self._retrieved[request_id] = None
            raise

    @contextlib.asynccontextmanager
    async def fetching(self, request_id: str) -> AsyncIterator[None]:
        """Fetch a result in it: when it ends, the server need not keep it any longer."""
        try:
            async with self._fetching:
                yield
        finally:
            self._retrieved[request_id] = None
            self._poll_on()

    async def close(self) -> None:
        """Acknowledge what is left over. Nothing is asked any more then."""
        if self.error is None:
            self._end(TinkerError("The client is closed."))
            if self._polling is not None:
                self._polling.cancel()
            if self._acknowledging is not None:
                self._acknowledging.cancel()
            await self._acknowledge()

    # ---- polls ------------------------------------------------------------------------------

    def _poll_on(self) -> None:
        """Have a poll under way, or soon, if there is a reason for one."""
        if self.error is not None or self._polling is not None:
            return
        loop = asyncio.get_running_loop()
        if self._waiting:
            self._polling = self._begin()
        elif self._retrieved and self._acknowledging is None:
            self._acknowledging = loop.call_later(ACK_DELAY, self._acknowledge_unless_polling)

    def _acknowledge_unless_polling(self) -> None:
        self._acknowledging = None
        if self._polling is None and self.error is None:
            self._polling = self._begin()

    def _begin(self) -> asyncio.Task[None]:
        # It serves all samples: it is not part of what the first of them belongs to.
        context = contextvars.Context()
        return asyncio.get_running_loop().create_task(self._run(), context=context)

    async def _run(self) -> None:
        pause = 0.0
        was_refused = False
        try:
            if not self._waiting:
                await self._acknowledge()
            while self._waiting:
                asked = time.monotonic()
                try:
                    found = await self._poll(hold=True)
                except APIStatusError as error:
                    if was_refused or error.status_code >= 500:  # that was retried long enough
                        raise
                    was_refused = True
                    await asyncio.sleep(retry.first_pause())
                    continue
                was_refused = False
                if found:
                    pause = _BATCHING
                elif time.monotonic() - asked >= _HELD:
                    pause = 0.0
                else:
                    pause = min(_LONGEST_PAUSE, pause * 2 or 0.05)
                await asyncio.sleep(pause)
        except TinkerError as error:
            has_no_route = (
                isinstance(error, APIStatusError) and error.status_code in REFUSALS_OF_A_ROUTE
            )
            _log.FEED_ENDED(INFO if has_no_route else WARNING, error=error)
            self._end(error)
        self._polling = None
        self._poll_on()

    async def _acknowledge(self) -> None:
        """Only acknowledge. What does not arrive goes with the next poll, if there is one."""
        with contextlib.suppress(TinkerError):
            while self._retrieved:
                await self._poll(hold=False)

    async def _poll(self, *, hold: bool) -> int:
        """Ask once, and pass on what is done. Returns how much it was."""
        retrieved = list(itertools.islice(self._retrieved, MOST_ACKS))
        request = retrieve_futures.request(
            body=FuturesRetrieveRequest(
                target=self._target,
                prev_cursor=self._cursor,
                timeout=None if hold else 0,
                retrieved_request_ids=retrieved,
            )
        )
        answer = await self._connection.fetch(
            request,
            self._progress,
            policy=_POLICY if hold else retry.NEVER,
            timeout=POLL_TIMEOUT if hold else ACK_TIMEOUT,
        )
        for request_id in retrieved:
            self._retrieved.pop(request_id, None)
        self._cursor = answer.cursor
        for completion in answer.completions:
            self._complete(completion)
        return len(answer.completions)

    def _complete(self, completion: Completion) -> None:
        request_id = completion.request_id
        waiter = self._waiting.pop(request_id, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(completion)
        elif waiter is not None or request_id in self._abandoned:
            self._abandoned.discard(request_id)
            self._retrieved[request_id] = None  # nobody will
        else:
            self._early[request_id] = completion

    def _end(self, error: TinkerError) -> None:
        self.error = error
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()
