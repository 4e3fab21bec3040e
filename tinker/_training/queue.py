"""The queue of a training run: takes its operations in order, numbered without gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import orjson

from tinker._codec.media_types import JSON, ResultType
from tinker._protocol import retry
from tinker._protocol.connection import HELD_TIMEOUT, RESPONSE_TIMEOUT, sdk_headers
from tinker._protocol.polling import Decoder
from tinker._protocol.progress import Progress
from tinker._protocol.results import result_of
from tinker._protocol.session import Session
from tinker._training import record
from tinker._training.missed_turns import MissedTurns
from tinker._training.numbers import Numbers
from tinker._training.sequencing import Sequencer
from tinker._training.submission import Submission, Submit
from tinker.futures import APIFuture
from tinker_api import models
from tinker_api.model import Schema
from tinker_api.types import Request

if TYPE_CHECKING:
    from tinker._training.journal import Journal

T = TypeVar("T")
M = TypeVar("M", bound=Schema)
Body = TypeVar("Body", bound=Schema)
B_contra = TypeVar("B_contra", bound=Schema, contravariant=True)

_NEEDED = dict.fromkeys(
    ("save_weights", "save_weights_for_sampler", "save_weights_external"), ("path",)
)
"""Fields of results of which at least one must have a value."""


class Endpoint(Protocol[B_contra]):
    """The generated `request` of an operation whose response is a promise."""

    def __call__(
        self, *, body: B_contra, x_sdk_version: str, x_sdk_method: str
    ) -> Request[models.UntypedAPIFuture]: ...


class RunQueue:
    """The queue through which all operations of a model go."""

    def __init__(
        self,
        session: Session,
        model_id: str,
        *,
        first_seq_id: int = 1,
        journal: Journal | None = None,
    ) -> None:
        self.session = session
        self.model_id = model_id
        self.journal = journal
        self._sequencer = Sequencer(first_seq_id)
        self._numbers = Numbers(session, model_id, self._sequencer, journal)
        self._missed_turns = MissedTurns(self._numbers.use_up)
        self._depth = 0
        """How many loops over `steps` are under way."""
        self._loops: Counter[tuple[int, int]] = Counter()

    def progress(self, operation: str) -> Progress:
        return Progress(operation, {"model_id": self.model_id})

    def one(
        self,
        operation: str,
        endpoint: Endpoint[Body],
        body: Body,
        model: type[M],
        *,
        timeout: float = HELD_TIMEOUT,
    ) -> APIFuture[M]:
        """Submit an operation of one request, whose result is a generated model.

        Args:
            operation: Its operationId.
            endpoint: Its generated `request`.
            body: The body, without a seq_id.
            model: Class of the result.
            timeout: Seconds for the response to the request.
        """
        progress, sdk = self.progress(operation), sdk_headers(f"TrainingClient.{operation}")

        async def send(seq_id: int) -> models.UntypedAPIFuture:
            numbered = body.model_copy(update={"seq_id": seq_id})
            return await self.send(endpoint(body=numbered, **sdk), progress, timeout)

        def content() -> bytes:
            return orjson.dumps({**body.to_dict(), "model_id": None})

        decode = result_of(
            model,
            operation,
            needs=_NEEDED.get(operation, ()),
            may_be_empty=lambda: self.session.traits.returns_empty_results,
        )
        results = self.submit([send], decode, progress, kind=_kind(operation), content=content)

        async def first() -> M:
            return (await results)[0]

        return APIFuture.start(first(), progress, session=self.session)

    def unnumbered(self, request: Request[models.UntypedAPIFuture], model: type[M]) -> APIFuture[M]:
        """Submit an operation that has no seq_id, behind those submitted so far."""
        self.session.check_open()
        progress = self.progress(request.operation)
        turn = self._sequencer.turn()

        async def run() -> M:
            with self.session.watched(progress):
                async with turn:
                    if self.journal is not None:
                        self.journal.empty(turn.number)
                    promise = await self.send(request, progress, HELD_TIMEOUT)
                decode = result_of(model, request.operation)
                return await self.session.result(
                    promise, decode, progress, kind=_kind(request.operation)
                )

        return APIFuture.start(run(), progress, session=self.session)

    def submit(
        self,
        submits: Sequence[Submit],
        decode: Decoder[T],
        progress: Progress,
        *,
        kind: str,
        content: Callable[[], bytes],
        accept: ResultType = JSON,
        parallel: bool = True,
    ) -> Awaitable[list[T]]:
        """Take a turn now, send the requests of one call in it, and wait for their results.

        Returns a coroutine for the library's loop. The turn is taken at the call, not at the await.

        Args:
            submits: One for each request. They may change until the turn has come.
            decode: Makes the result of a response.
            progress: Of the call.
            kind: The operation's name in the polls' header.
            content: What the journal knows the call by, besides its operation and place.
            accept: The encodings that `decode` knows.
            parallel: Whether a request may be sent before the one in front of it is accepted.
        """
        self.session.check_open()
        self._sequencer.check()
        turn = self._sequencer.turn()

        def begin() -> Awaitable[record.Record]:
            return record.begin(self.journal, turn, progress.operation, len(submits), content)

        return Submission(
            self.session,
            self._numbers,
            self._missed_turns,
            submits,
            decode,
            progress,
            kind,
            accept,
            parallel,
        ).results(turn, begin)

    def steps(self, count: int) -> Iterator[int]:
        """The steps of a loop, from the first that is not over by the journal."""
        if self.journal is None:
            yield from range(count)
            return
        from tinker._training.journal import Loop  # noqa: PLC0415  # few use one

        place = self._sequencer.next_number, self._depth
        loop = Loop(*place, self._loops[place])
        self._loops[place] += 1
        self._depth += 1
        try:
            first, number = self.journal.first_step(loop, count)
            self._sequencer.go_on_at(number)
            for step in range(first, count):
                self.journal.step(loop, step, self._sequencer.next_number)
                yield step
            self.journal.step(loop, count, self._sequencer.next_number)
        finally:
            self._depth -= 1

    async def send(
        self,
        request: Request[models.UntypedAPIFuture],
        progress: Progress,
        timeout: float = RESPONSE_TIMEOUT,
    ) -> models.UntypedAPIFuture:
        """Send one request, whose response is a promise."""
        progress.doing = "waiting for the server to accept the request"
        return await self.session.connection.fetch(
            request, progress, policy=retry.PERSISTENT, timeout=timeout
        )


def _kind(operation: str) -> str:
    """The operation's name in the polls' header, such as `OptimStep`."""
    return operation.title().replace("_", "")
