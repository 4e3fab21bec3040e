"""One call of a training run: sends its requests in its turn, and waits for their results."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

import httpx
from attrs import define, field

from tinker._codec.media_types import ResultType
from tinker._protocol.polling import Decoder
from tinker._protocol.progress import Progress
from tinker._protocol.session import Session
from tinker._training.missed_turns import MissedTurns
from tinker._training.numbers import Numbers
from tinker._training.record import Record
from tinker._training.sequencing import Turn
from tinker.errors import APIStatusError, RequestFailedError
from tinker_api import models

T = TypeVar("T")

Submit = Callable[[int], Awaitable[models.UntypedAPIFuture]]
"""Sends one request under a seq_id and returns its promise."""


@define(eq=False)
class Submission(Generic[T]):
    """The requests of one call, each by its place in the call."""

    session: Session
    numbers: Numbers
    missed_turns: MissedTurns
    submits: Sequence[Submit]
    decode: Decoder[T]
    progress: Progress
    kind: str
    accept: ResultType
    parallel: bool
    """Whether a request may be sent before the one in front of it is accepted."""
    _record: Record = field(init=False)
    _promises: dict[int, models.UntypedAPIFuture] = field(init=False, factory=dict)
    _polls: dict[int, asyncio.Task[T]] = field(init=False, factory=dict)
    _failures: dict[int, Exception] = field(init=False, factory=dict)

    async def results(self, turn: Turn, begin: Callable[[], Awaitable[Record]]) -> list[T]:
        """The results, in the order of the requests.

        Args:
            turn: The call's turn; other calls are sent before and after it.
            begin: Draws the seq_ids and begins the record of the call, once its turn has come.
        """
        with self.session.watched(self.progress):
            self.progress.doing = "waiting for its turn behind earlier operations of the run"
            try:
                async with turn:
                    self._record = await begin()
                    self.progress.seq_ids.extend(self._record.seq_ids)
                    await self._send_all()
                    if self._failures:
                        raise await self.numbers.settle(
                            turn, self._record, self._polls.keys(), self._failures
                        )
                    self._record.accepted(self._promises)
                return await self._collect()
            finally:
                for poll in self._polls.values():
                    poll.cancel()

    async def _send_all(self) -> None:
        """Send the requests, and begin to poll for the result of each that is accepted."""
        numbers = range(len(self.submits))
        if self.parallel and len(numbers) > 1:  # else tasks would only add a turn of the loop
            await asyncio.gather(*map(self._send, numbers))
            return
        for number in numbers:
            await self._send(number)
            if self._failures:
                return

    async def _send(self, number: int) -> None:
        if (kept := self._record.result(number)) is not None:
            self._polls[number] = asyncio.create_task(self._decoded(kept))
            return
        submit, seq_id = self.submits[number], self._record.seq_ids[number]
        try:
            promise = self._record.promise(number) or await submit(seq_id)
        except Exception as error:  # noqa: BLE001  # settled with the others
            self._failures[number] = error
        else:
            self._promises[number] = promise
            result = self.missed_turns.result(seq_id, promise, partial(self._wait, number), submit)
            self._polls[number] = asyncio.create_task(result)

    async def _decoded(self, response: httpx.Response) -> T:
        return self.decode(response)

    def _wait(self, number: int, promise: models.UntypedAPIFuture) -> Awaitable[T]:
        decode = self._record.keeping(number, self.decode)
        return self.session.result(
            promise, decode, self.progress, kind=self.kind, accept=self.accept
        )

    async def _collect(self) -> list[T]:
        polls = [self._polls[number] for number in sorted(self._polls)]
        try:
            results = [await polls[0]] if len(polls) == 1 else await asyncio.gather(*polls)
        except (RequestFailedError, APIStatusError) as error:
            self._record.failed(error)
            raise
        self._record.finished(results)
        return results
