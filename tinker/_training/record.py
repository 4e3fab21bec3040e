"""What is kept of a call, by which a later process goes on: with a journal, its promises and its results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import httpx
import orjson

from tinker._protocol.polling import Decoder
from tinker._training.sequencing import Turn
from tinker.errors import APIStatusError, JournalError, RequestFailedError
from tinker_api.models import UntypedAPIFuture

if TYPE_CHECKING:
    from tinker._training.journal import Call, Journal

T = TypeVar("T")

_GONE = (404, 410)
"""Status codes of a result that the server does not keep any more."""


class Record:
    """Of a call without a journal: its seq_ids, and nothing for a later process."""

    def __init__(self, seq_ids: list[int]) -> None:
        self.seq_ids = seq_ids

    def promise(self, number: int) -> UntypedAPIFuture | None:
        """The promise of a request that an earlier process sent."""

    def result(self, number: int) -> httpx.Response | None:
        """The result of a request, if an earlier process received it."""

    def keeping(self, number: int, decode: Decoder[T]) -> Decoder[T]:
        """A decoder that also keeps what it decodes."""
        return decode

    def accepted(self, promises: Mapping[int, UntypedAPIFuture]) -> None:
        """The server has accepted all requests."""

    def refused(self, error: Exception, next_seq_id: int) -> None:
        """The server has not accepted the call, or not all of it."""

    def failed(self, error: Exception) -> None:
        """A result is an error."""

    def finished(self, results: Sequence[object]) -> None:
        """All results have arrived."""


class JournalRecord(Record):
    """Of a call in a journal."""

    def __init__(self, journal: Journal, call: Call) -> None:
        super().__init__(call.seq_ids)
        self._journal = journal
        self._call = call

    def promise(self, number: int) -> UntypedAPIFuture | None:
        if (request_ids := self._call.request_ids) is None:
            return None
        return UntypedAPIFuture(request_id=request_ids[number])

    def result(self, number: int) -> httpx.Response | None:
        if (kept := self._journal.kept(self._call, number)) is None:
            return None
        media_type, content = kept
        return httpx.Response(200, headers={"content-type": media_type}, content=content)

    def keeping(self, number: int, decode: Decoder[T]) -> Decoder[T]:
        def keep(response: httpx.Response) -> T:
            result = decode(response)
            media_type = response.headers.get("content-type", "")
            self._journal.keep(self._call, number, media_type, response.content)
            return result

        return keep

    def accepted(self, promises: Mapping[int, UntypedAPIFuture]) -> None:
        if self._call.request_ids is None:
            request_ids = [promises[number].request_id for number in sorted(promises)]
            self._journal.accepted(self._call, request_ids)

    def refused(self, error: Exception, next_seq_id: int) -> None:
        self._journal.refused(self._call, error, next_seq_id)

    def failed(self, error: Exception) -> None:
        if isinstance(error, RequestFailedError):
            self._journal.finished(self._call)
        elif isinstance(error, APIStatusError) and error.status_code in _GONE:
            self._journal.finished(self._call)
            error.add_note(
                "The operation was accepted, and the server no longer keeps its result. Catch this error to go on "
                "without it."
            )

    def finished(self, results: Sequence[object]) -> None:
        self._journal.finished(self._call, getattr(results[0], "path", None))


async def begin(
    journal: Journal | None,
    turn: Turn,
    operation: str,
    requests: int,
    content: Callable[[], bytes],
) -> Record:
    """The record of the call whose turn it is, written to the journal unless an earlier process has.

    Raises:
        JournalError: The journal has another call in this place. The run accepts no more operations.
        OSError: The journal cannot be written. Nothing was sent.
    """
    if journal is None:
        return Record(turn.draw(requests))
    if requests == 0:
        journal.empty(turn.number)
        return Record([])
    from tinker._training import journal as journals  # noqa: PLC0415  # few use one

    asked = content()
    digest = journals.digest(asked)
    try:
        call = journal.known(turn.number, operation, digest, requests)
    except JournalError as error:
        turn.poison(error)
        raise
    if call is None:
        seq_ids = turn.draw(requests)
        name = orjson.loads(asked)["path"] if operation == "save_weights" else None
        call = journals.Call(turn.number, operation, digest, seq_ids, name)
        try:
            await asyncio.to_thread(journal.submitted, call)
        except OSError:
            turn.return_numbers(seq_ids)
            raise
    return JournalRecord(journal, call)
