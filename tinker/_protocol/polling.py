"""From a promise to its result: long polls of `retrieve_future`.

Possible responses, and what the client does:

    the result                          decoded by the operation that made the promise
    `type: try_again`, `status: pending`, 408   poll again; at once if the server held the request, else after
                                        a pause that grows to 1 s
    `status: complete_metadata`         wait until it fits among the results in flight, then fetch it
    any body with `error`, 400, 409, 422,   `RequestFailedError`
    messages of a failure
    402                                 poll again every 5 s while billing may be paused
    429, 5xx, no response               poll again after a pause that grows to 30 s, for an hour; after
                                        a plain 500 for a minute
    a 200 that is none of these; 400,   poll again for a minute; then `APIResponseValidationError`, or the
    404, 409 without a body, with HTML  `APIStatusError` of a proxy's status
    410                                 the promise is lost: `APIStatusError`
    401, 403, 404, 413, …               their `APIStatusError`
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import httpx
import orjson

from tinker import _log
from tinker._codec.media_types import ResultType
from tinker._protocol import outcome
from tinker._protocol.byte_budget import ByteBudget
from tinker._protocol.connection import Connection, detail_of
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import is_final
from tinker._protocol.telemetry import SECONDS, PollState, Telemetry
from tinker.errors import APIStatusError, RequestErrorCategory, RequestFailedError
from tinker.retry_policy import RetryPolicy
from tinker_api.api.futures import retrieve_future
from tinker_api.models import FutureRetrieveRequest
from tinker_api.types import Request, loads

T = TypeVar("T")

POLL_TIMEOUT = 330.0
"""Timeout of one poll in seconds. Servers hold one for 40 to 300 s, and some drop a result if its reader has
gone; TCP keep-alive notices a dead peer."""
GIVE_UP = RetryPolicy(3600.0, fault_budget=60.0, longest_pause=30.0)
SILENCE = 55.0
"""Seconds without a response after which a second poll is sent. Most servers hold a poll for less."""
_HELD = 0.5
_LONGEST_PAUSE = 1.0

_FAILURES = (400, 409, 422)
"""Status codes that some servers return for a failed operation, instead of a body with `error`."""

Decoder = Callable[[httpx.Response], T]
"""Decodes the result from its response."""


async def poll(
    connection: Connection,
    request_id: str,
    decode: Decoder[T],
    progress: Progress,
    *,
    kind: str,
    accept: ResultType,
    byte_budget: ByteBudget,
    size: int | None = None,
) -> T:
    """Wait for the result of a promise.

    Args:
        connection: The connection to the server.
        request_id: Id of the promise.
        decode: Decodes the result from its response.
        progress: The operation it belongs to.
        kind: Name of the operation, for the header of the poll.
        accept: The encoding to ask for; `decode` accepts both.
        byte_budget: Limit on the results in flight.
        size: Size of the result in bytes, if it is known.
    """
    pause = 0.0
    reserved = 0
    progress.doing = "waiting for the result"
    try:
        while True:
            if size and not reserved:
                progress.doing = f"waiting for room for a result of {size} bytes"
                await byte_budget.take(size)
                reserved = size
                progress.doing = "waiting for the result"
            request = retrieve_future.request(
                body=FutureRetrieveRequest(request_id=request_id, allow_metadata_only=size is None),
                x_tinker_request_type=kind,
                accept=accept,
            )
            asked = time.monotonic()

            async def ask(
                request: Request[Any] = request, takes_metadata: bool = size is None
            ) -> _Poll[T]:
                poll = _Poll(
                    request_id,
                    decode,
                    progress,
                    connection.telemetry,
                    takes_metadata=takes_metadata,
                )
                await _ask(connection, request, request_id, progress, poll)
                return poll

            if progress.seconds_left() <= 0:
                raise connection.too_late(progress)
            poll = await _despite_silence(ask, progress)
            progress.polls += 1
            progress.doing = "waiting for the result"
            if poll.is_pending:
                held = time.monotonic() - asked >= _HELD
                pause = 0.0 if held else min(_LONGEST_PAUSE, pause * 2 or 0.05)
                if pause:
                    await asyncio.sleep(pause)
            elif poll.size is not None:
                size = poll.size
            elif poll.failure is not None:
                raise _failure(poll.failure, request_id, progress)
            else:
                return poll.results[0]
    finally:
        byte_budget.release(reserved)


class _Poll(Generic[T]):
    """The outcome of one poll. After a 200 that is neither a result nor a known message, the client polls again."""

    def __init__(
        self,
        request_id: str,
        decode: Decoder[T],
        progress: Progress,
        telemetry: Telemetry,
        *,
        takes_metadata: bool,
    ) -> None:
        self.is_pending = True
        self.size: int | None = None
        """Size of the result in bytes, if it is ready and was not sent."""
        self.failure: dict[str, Any] | None = None
        self.results: list[T] = []
        self._decode, self._progress, self._takes_metadata = decode, progress, takes_metadata
        self._request_id, self._telemetry = request_id, telemetry

    def read(self, response: httpx.Response) -> None:
        message = _control_message(response)
        if message and (message.get("type") == "try_again" or message.get("status") == "pending"):
            self.wait(response, message)
            return
        state: PollState = "done"
        if message and message.get("status") == "complete_metadata" and self._takes_metadata:
            self.size = int(message["response_payload_size"])
            state = "ready"
        elif message and "error" in message:
            self.failure = message
            state = "failed"
        else:
            self.results.append(self._decode(response))
        self.is_pending = False
        self._in_queue("active", None)
        self.tell(response, state)

    def wait(self, response: httpx.Response, message: dict[str, Any]) -> None:
        """The result is not ready; the response has the state of the queue."""
        state, reason = message.get("queue_state"), message.get("queue_state_reason")
        self._in_queue(str(state or "active"), str(reason) if reason else None)
        self.tell(response, "pending")

    def tell(self, response: httpx.Response, state: PollState) -> None:
        """Count the poll, and notify observers."""
        seconds = response.extensions.get(SECONDS, 0.0)
        self._telemetry.polled(self._progress, self._request_id, state, seconds)

    def _in_queue(self, state: str, reason: str | None) -> None:
        if self._progress.in_queue(state, reason):
            self._telemetry.queued(self._progress)


async def _despite_silence(
    ask: Callable[[], Coroutine[Any, Any, _Poll[T]]], progress: Progress
) -> _Poll[T]:
    """The outcome of a poll, or of a second one that is sent when the first gets no response for long.

    The response to the first one may have been lost. It is not given up at once: the server may still hold it, and drops
    a result if its reader has gone. Once a later poll has a response, the earlier one is given up.
    """
    loop = asyncio.get_running_loop()
    others: list[asyncio.Task[_Poll[T]]] = []
    try:
        async with asyncio.timeout(None) as until:

            def overtake(other: asyncio.Task[_Poll[T]]) -> None:
                if other.cancelled():
                    return
                if (error := other.exception()) is not None and not isinstance(
                    error, RequestFailedError
                ):
                    _log.SECOND_POLL_FAILED(operation=progress.name(), error=error)
                else:
                    until.reschedule(loop.time())

            def ask_again() -> None:
                progress.polls += 1
                _log.SILENT_POLL(operation=progress.name(), seconds=SILENCE)
                other = loop.create_task(ask())
                others.append(other)
                other.add_done_callback(overtake)

            timer = loop.call_later(SILENCE, ask_again)
            try:
                return await ask()
            finally:
                timer.cancel()
    except TimeoutError:
        (other,) = others
        return other.result()
    finally:
        for other in others:
            other.cancel()


async def _ask(
    connection: Connection,
    request: Request[Any],
    request_id: str,
    progress: Progress,
    poll: _Poll[Any],
) -> None:
    try:
        response = await connection.call(
            request,
            progress,
            policy=GIVE_UP,
            timeout=POLL_TIMEOUT,
            passed=(408,),
            read=poll.read,
        )
    except APIStatusError as error:
        if outcome.is_from_proxy(error.status_code, error.body):
            raise
        retried = error.status_code == 429 or error.status_code >= 500
        if error.status_code in _FAILURES or (retried and is_final(error.status_code, error.body)):
            poll.tell(error.response, "failed")
            raise _refused(error, request_id, progress) from None
        raise
    if response.status_code == 408:
        message = _control_message(response.raw) or {}
        if is_final(408, message):
            poll.tell(response.raw, "failed")
            raise _refused(connection.refusal(response.raw, progress), request_id, progress)
        poll.wait(response.raw, message)


def _control_message(response: httpx.Response) -> dict[str, Any] | None:
    """The body, if it is a short JSON object: anything larger is a result."""
    content = response.content
    if len(content) > 65536 or not content.startswith(b"{"):
        return None
    try:
        answer = loads(content)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _refused(error: APIStatusError, request_id: str, progress: Progress) -> RequestFailedError:
    """The failure of an operation that the server reports by a status code."""
    user = error.status_code == 400
    category = RequestErrorCategory.User if user else RequestErrorCategory.Unknown
    text = detail_of(error.body, error.status_code)
    return RequestFailedError(f"{progress.name()} failed: {text}", request_id, category)


def _failure(answer: dict[str, Any], request_id: str, progress: Progress) -> RequestFailedError:
    error, category = answer["error"], answer.get("category")
    if isinstance(error, dict):
        category = category or error.get("category")
        error = error.get("message", error)
    # Some servers send `user_error`.
    name = str(category).lower().removesuffix("_error")
    known = next((c for c in RequestErrorCategory if c == name), RequestErrorCategory.Unknown)
    return RequestFailedError(f"{progress.name()} failed: {error}", request_id, known)
