"""Submits operations to a training run: in order, as a whole, and without gaps.

What happens to seq_ids when a request of a call is not accepted:

    refused (4xx), nothing after it accepted     its number is used again by the next call
    refused, a later chunk of the call accepted  a forward pass over one token takes its number, so that
                                                 the server does not wait for it forever
    not known (no response, 5xx, to the end)     the run is poisoned: later calls are refused, because
                                                 their order is no longer known
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import httpx
import orjson
from attrs import fields

from tinker import types
from tinker._codec.media_types import JSON, ResultType
from tinker._protocol import retry
from tinker._protocol.connection import ANSWER_TIMEOUT, HELD_TIMEOUT, SdkHeaders, sdk_headers
from tinker._protocol.polling import Decoder
from tinker._protocol.progress import Progress
from tinker._protocol.session import Session
from tinker._training import batch
from tinker._training.batch import Batch
from tinker._training.missed_turns import MissedTurns
from tinker._training.sequencing import Sequencer, Turn
from tinker.errors import (
    APIError,
    APIStatusError,
    JournalError,
    RequestFailedError,
    RunPoisonedError,
    TinkerError,
)
from tinker.futures import APIFuture
from tinker.types._numbers import with_nan
from tinker_api import models
from tinker_api.types import File, Request, loads

if TYPE_CHECKING:
    from tinker._training.journal import Call, Journal

T = TypeVar("T")

Submit = Callable[[int], Awaitable[models.UntypedAPIFuture]]
"""Sends one request under a seq_id and returns its promise."""


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
        self._missed_turns = MissedTurns(self._use_up)
        self._depth = 0
        """How many loops over `steps` are under way."""
        self._loops: Counter[tuple[int, int]] = Counter()

    def progress(self, operation: str) -> Progress:
        return Progress(operation, {"model_id": self.model_id})

    def one(
        self,
        request: Callable[[int, SdkHeaders], Request[models.UntypedAPIFuture]],
        model: type[T],
        *,
        operation: str,
        kind: str,
        timeout: float = ANSWER_TIMEOUT,
    ) -> APIFuture[T]:
        """Submit an operation of one request, whose result is a generated model."""

        async def send(seq_id: int) -> models.UntypedAPIFuture:
            return await self.send(request(seq_id, sdk), progress, timeout)

        def content() -> bytes:
            body = request(0, sdk).body
            assert body is not None and not isinstance(body, File), "all are JSON"
            return orjson.dumps({**body.to_dict(), "model_id": None})

        progress, sdk = self.progress(operation), sdk_headers(f"TrainingClient.{operation}")
        decode = result_of(
            model,
            operation,
            needs=_NEEDED.get(operation, ()),
            may_be_empty=lambda: self.session.traits.returns_empty_results,
        )
        results = self.submit([send], decode, progress, kind=kind, content=content)

        async def first() -> T:
            return (await results)[0]

        return APIFuture.start(first(), progress, session=self.session)

    def unnumbered(
        self, request: Request[models.UntypedAPIFuture], model: type[T], *, kind: str
    ) -> APIFuture[T]:
        """Submit an operation that has no seq_id, behind those submitted so far."""
        self.session.check_open()
        progress = self.progress(request.operation)
        turn = self._sequencer.turn()

        async def run() -> T:
            with self.session.watched(progress):
                async with turn:
                    if self.journal is not None:
                        self.journal.empty(turn.number)
                    promise = await self.send(request, progress, HELD_TIMEOUT)
                decode = result_of(model, request.operation)
                return await self.session.result(promise, decode, progress, kind=kind)

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
            submits: One for each request.
            decode: Makes the result of a response.
            progress: Of the call.
            kind: The operation's name in the polls' header.
            content: What the journal knows the call by, besides its operation and place.
            accept: The encodings that `decode` knows.
            parallel: Whether a request may be sent before the one in front of it is accepted.
        """
        self.session.check_open()
        self._sequencer.check()
        return self._execute(
            self._sequencer.turn(), submits, decode, progress, kind, content, accept, parallel
        )

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
        timeout: float = ANSWER_TIMEOUT,
    ) -> models.UntypedAPIFuture:
        """Send one request, whose response is a promise."""
        progress.doing = "waiting for the server to accept the request"
        return await self.session.connection.fetch(
            request, progress, policy=retry.PERSISTENT, timeout=timeout
        )

    async def _execute(
        self,
        turn: Turn,
        submits: Sequence[Submit],
        decode: Decoder[T],
        progress: Progress,
        kind: str,
        content: Callable[[], bytes],
        accept: ResultType,
        parallel: bool,
    ) -> list[T]:
        with self.session.watched(progress):
            progress.doing = "waiting for its turn behind earlier operations of the run"

            call: Call | None = None

            def wait(number: int, promise: models.UntypedAPIFuture) -> Awaitable[T]:
                keeping = self._keeping(call, number, decode)
                return self.session.result(promise, keeping, progress, kind=kind, accept=accept)

            polls: dict[int, asyncio.Task[T]] = {}
            failures: dict[int, Exception] = {}
            promises: dict[int, models.UntypedAPIFuture] = {}
            try:
                async with turn:
                    call = await self._record(turn, progress.operation, len(submits), content)
                    seq_ids = turn.draw(len(submits)) if call is None else call.seq_ids
                    progress.seq_ids.extend(seq_ids)

                    async def submit(number: int) -> None:
                        if (kept := self._kept(call, number)) is not None:
                            polls[number] = asyncio.create_task(_decoded(decode, kept))
                            return
                        try:
                            promises[number] = promise = _known(call, number) or await submits[
                                number
                            ](seq_ids[number])
                        except Exception as error:  # noqa: BLE001  # settled below, with the others
                            failures[number] = error
                        else:
                            result = self._missed_turns.result(
                                seq_ids[number], promise, partial(wait, number), submits[number]
                            )
                            polls[number] = asyncio.create_task(result)

                    if (
                        parallel and len(submits) > 1
                    ):  # else tasks would only add a turn of the loop
                        await asyncio.gather(*(submit(n) for n in range(len(submits))))
                    else:
                        for number in range(len(submits)):
                            await submit(number)
                            if failures:
                                break
                    if failures:
                        raise await self._settle(turn, call, seq_ids, set(polls), failures)
                    if self.journal is not None and call is not None and call.request_ids is None:
                        ids = [promises[n].request_id for n in range(len(submits))]
                        self.journal.accepted(call, ids)
                return await self._results(call, [polls[n] for n in sorted(polls)])
            finally:
                for task in polls.values():
                    task.cancel()

    async def _record(
        self, turn: Turn, operation: str, requests: int, content: Callable[[], bytes]
    ) -> Call | None:
        """The call in the journal, written to it unless an earlier process has; None without a journal."""
        if self.journal is None:
            return None
        if requests == 0:
            self.journal.empty(turn.number)
            return None
        from tinker._training import journal as journals  # noqa: PLC0415  # few use one

        asked = content()
        digest = journals.digest(asked)
        try:
            call = self.journal.known(turn.number, operation, digest, requests)
        except JournalError as error:
            turn.poison(error)
            raise
        if call is None:
            seq_ids = turn.draw(requests)
            name = orjson.loads(asked)["path"] if operation == "save_weights" else None
            call = journals.Call(turn.number, operation, digest, seq_ids, name)
            try:
                await asyncio.to_thread(self.journal.submitted, call)
            except OSError:
                turn.give_back(seq_ids)
                raise
        return call

    async def _results(self, call: Call | None, polls: Sequence[asyncio.Task[T]]) -> list[T]:
        try:
            results = [await polls[0]] if len(polls) == 1 else list(await asyncio.gather(*polls))
        except RequestFailedError:
            if self.journal is not None and call is not None:
                self.journal.finished(call)
            raise
        except APIStatusError as error:
            if error.status_code in _GONE and self.journal is not None and call is not None:
                self.journal.finished(call)
                error.add_note(
                    "The operation was accepted, and the server no longer keeps its result. Catch this error to go on "
                    "without it."
                )
            raise
        if self.journal is not None and call is not None:
            self.journal.finished(call, getattr(results[0], "path", None))
        return results

    def _keeping(self, call: Call | None, number: int, decode: Decoder[T]) -> Decoder[T]:
        """A decoder that keeps in the journal what it decodes."""
        journal = self.journal
        if journal is None or call is None:
            return decode

        def keep(response: httpx.Response) -> T:
            result = decode(response)
            media_type = response.headers.get("content-type", "")
            journal.keep(call, number, media_type, response.content)
            return result

        return keep

    def _kept(self, call: Call | None, number: int) -> httpx.Response | None:
        """A result that an earlier process has received."""
        if self.journal is None or call is None:
            return None
        kept = self.journal.kept(call, number)
        if kept is None:
            return None
        media_type, content = kept
        return httpx.Response(200, headers={"content-type": media_type}, content=content)

    async def _settle(
        self,
        turn: Turn,
        call: Call | None,
        seq_ids: list[int],
        accepted: set[int],
        failures: Mapping[int, Exception],
    ) -> Exception:
        """Settle the numbers after a failure, and return the error for the caller."""
        first_failure = failures[min(failures)]
        unknown = [n for n, error in failures.items() if not _was_refused(error)]
        if unknown:
            self._poison(turn, seq_ids[min(unknown)], failures[min(unknown)])
        else:
            last_accepted = max(accepted, default=-1)
            for number in range(last_accepted):
                if number not in accepted:
                    await self._fill(turn, seq_ids[number])
            if seq_ids[-1] != self._sequencer.next_seq_id - 1:  # others have been used behind it
                self._poison(turn, seq_ids[0], first_failure)
            elif last_accepted + 1 < len(seq_ids):
                turn.give_back(seq_ids[last_accepted + 1 :])
            if self.journal is not None and call is not None and not self._sequencer.is_poisoned:
                self.journal.refused(call, first_failure, self._sequencer.next_seq_id)
        if accepted:
            first_failure.add_note(
                f"{len(accepted)} of the call's {len(seq_ids)} requests were accepted and take effect."
            )
        return first_failure

    async def _fill(self, turn: Turn, seq_id: int) -> None:
        """Use up a rejected number that the server would otherwise wait for."""
        try:
            await self._use_up(seq_id)
        except TinkerError as error:
            self._poison(turn, seq_id, error)

    async def _use_up(self, seq_id: int) -> None:
        """Send an operation that changes nothing under a number."""
        one_token = types.Datum(
            model_input=types.ModelInput.from_ints([0]),
            loss_fn_inputs={
                "target_tokens": types.TensorData([0], "int64"),
                "weights": types.TensorData([0.0], "float32"),
            },
        )
        filler = Batch(self.model_id, [one_token], 0, "cross_entropy", None, backward=False)
        await batch.send(self.session, filler, seq_id, self.progress("forward"))

    def _poison(self, turn: Turn, seq_id: int, error: Exception) -> None:
        way_out = (
            "Create a training client from the last checkpoint."
            if self.journal is None
            else f"Run the program again: with {self.journal.path}, it finds out and goes on."
        )
        poison = RunPoisonedError(
            f"The training run {self.model_id} accepts no more operations: it is not known whether the "
            f"server accepted seq_id {seq_id} ({error}). {way_out}"
        )
        poison.__cause__ = error
        turn.poison(poison)


async def _decoded(decode: Decoder[T], response: httpx.Response) -> T:
    return decode(response)


def _known(call: Call | None, number: int) -> models.UntypedAPIFuture | None:
    """What an earlier process was promised."""
    if call is None or call.request_ids is None:
        return None
    return models.UntypedAPIFuture(request_id=call.request_ids[number])


def _was_refused(error: Exception) -> bool:
    """Whether it is certain that the server did not accept the request."""
    return not (isinstance(error, APIError) and error.outcome_unknown)


_GONE = (404, 410)
"""Statuses of a result that the server does not keep any more."""
_NEEDED = dict.fromkeys(
    ("save_weights", "save_weights_for_sampler", "save_weights_external"), ("path",)
)


def result_of(
    model: type[T],
    tag: str,
    *,
    needs: Sequence[str] = (),
    may_be_empty: Callable[[], bool] = lambda: False,
) -> Decoder[T]:
    """Return a decoder for a generated model. Some servers leave the tag out or set it to null; `tag` replaces it.

    A metric that is not finite is null in JSON and NaN here.

    Args:
        model: Class of the result.
        tag: Tag of the result.
        needs: Fields of which at least one must have a value.
        may_be_empty: Whether `{}` is a result of this server.
    """
    known = {attribute.name for attribute in fields(model)}  # type: ignore[arg-type]  # attrs makes them

    def decode(response: httpx.Response) -> T:
        body = loads(response.content)
        if needs and not any(body.get(name) is not None for name in needs):
            raise ValueError(f"it has no {' or '.join(needs)}")
        if known.isdisjoint(body) and (body or not may_be_empty()):
            raise ValueError(f"it has none of the fields of {tag}")
        if isinstance(metrics := body.get("metrics"), dict):
            body["metrics"] = with_nan(metrics)
        return model.from_dict({**body, "type": body.get("type") or tag})  # type: ignore[attr-defined, no-any-return]

    return decode
