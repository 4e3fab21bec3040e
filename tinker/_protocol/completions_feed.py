"""The completions feed: one long poll tells which samples of a client are finished, in place of one poll for each.

`retrieve_futures` names finished samples by request_id; each result is then fetched by a single `retrieve_future`. So
thousands of pending samples take one connection, and results a bounded number. The next poll acknowledges the results
that were fetched, and the server may drop them.

The feed is polled only while somebody waits; a last poll, which the server does not hold, acknowledges the remaining
results. If the server lacks the route, or the feed fails for good, each result is polled for instead; a refusal counts
when it comes twice in a row.
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
"""Timeout of one poll in seconds; servers hold it for about 30."""
ACK_TIMEOUT = 5.0
ACK_DELAY = 1.0
"""Seconds for which acknowledgements wait for a new sample's poll, before they are sent alone."""
MAX_ACKS = 1000
"""In one poll."""
MAX_FETCHED = 64
"""Maximum number of results being fetched at the same time."""
_POLICY = evolve(GIVE_UP, fault_budget=15.0)
"""Seconds. Shorter than for other polls, because without the feed each sample is polled for by itself."""
_BATCHING = 0.02
"""Seconds between polls that find something, so that completions arrive in batches."""
_HELD = 0.5
_LONGEST_PAUSE = 1.0


class CompletionsFeed:
    """The feed of a sampling client or of one of its clones. Used only on the library's event loop."""

    def __init__(self, connection: Connection, sampler_id: str, clone_id: int) -> None:
        self.error: Exception | None = None
        """Why the feed has ended; None while it runs."""
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
        """Completions that arrived before their promise."""
        self._abandoned: set[str] = set()
        self._retrieved: dict[str, None] = {}
        """Results to acknowledge, oldest first."""
        self._polling: asyncio.Task[None] | None = None
        self._acknowledging: asyncio.TimerHandle | None = None
        self._fetching = asyncio.Semaphore(MAX_FETCHED)

    async def wait(self, request_id: str) -> Completion | None:
        """Wait for the end of a sample; None if the feed has ended and cannot tell it."""
        if (early := self._early.pop(request_id, None)) is not None or self.error is not None:
            return early
        done: asyncio.Future[Completion | None] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = done
        self._poll_on()
        try:
            return await done
        except asyncio.CancelledError:
            if self._waiting.pop(request_id, None) is not None:
                self._abandoned.add(request_id)
            else:  # its completion has just come, or the feed has just ended
                self._retrieved[request_id] = None
            raise

    @contextlib.asynccontextmanager
    async def fetching(self, request_id: str) -> AsyncIterator[None]:
        """Context in which a result is fetched: when it ends, the result is acknowledged."""
        try:
            async with self._fetching:
                yield
        finally:
            self._retrieved[request_id] = None
            self._poll_on()

    async def close(self) -> None:
        """Acknowledge the remaining results, and end the feed."""
        if self.error is None:
            self._end(TinkerError("The client is closed."))
            if self._polling is not None:
                self._polling.cancel()
            if self._acknowledging is not None:
                self._acknowledging.cancel()
            await self._acknowledge()

    # ---- polls ------------------------------------------------------------------------------

    def _poll_on(self) -> None:
        """Start a poll, now or soon, if there is a reason for one."""
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
        except Exception as error:  # noqa: BLE001  # nobody awaits this task: who waits must learn of any end
            has_no_route = (
                isinstance(error, APIStatusError) and error.status_code in REFUSALS_OF_A_ROUTE
            )
            _log.FEED_ENDED(INFO if has_no_route else WARNING, error=error)
            self._end(error)
        self._polling = None
        self._poll_on()

    async def _acknowledge(self) -> None:
        """Send acknowledgements alone. If that fails, the next poll carries them, if there is one."""
        with contextlib.suppress(TinkerError):
            while self._retrieved:
                await self._poll(hold=False)

    async def _poll(self, *, hold: bool) -> int:
        """Poll once, and pass on the finished samples; returns their number."""
        retrieved = list(itertools.islice(self._retrieved, MAX_ACKS))
        request = retrieve_futures.request(
            body=FuturesRetrieveRequest(
                target=self._target,
                prev_cursor=self._cursor,
                timeout=None if hold else 0,
                retrieved_request_ids=retrieved,
            )
        )
        response = await self._connection.fetch(
            request,
            self._progress,
            policy=_POLICY if hold else retry.NEVER,
            timeout=POLL_TIMEOUT if hold else ACK_TIMEOUT,
        )
        for request_id in retrieved:
            self._retrieved.pop(request_id, None)
        self._cursor = response.cursor
        for completion in response.completions:
            self._complete(completion)
        return len(response.completions)

    def _complete(self, completion: Completion) -> None:
        request_id = completion.request_id
        waiter = self._waiting.pop(request_id, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(completion)
        elif waiter is not None or request_id in self._abandoned:
            self._abandoned.discard(request_id)
            self._retrieved[request_id] = None  # nobody will ask for it
        else:
            self._early[request_id] = completion

    def _end(self, error: Exception) -> None:
        self.error = error
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()
