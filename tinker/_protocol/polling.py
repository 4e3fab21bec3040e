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
    any other 200; 400,                 poll again for a minute; then `APIResponseValidationError`, or the
    404, 409 without a body, with HTML  `APIStatusError` of a proxy's status
    410                                 the promise is lost: `APIStatusError`
    401, 403, 404, 413, …               their `APIStatusError`
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import httpx
import orjson
from attrs import define, field

from tinker import _log
from tinker._codec.media_types import ResultType
from tinker._protocol import outcome
from tinker._protocol.byte_budget import ByteBudget
from tinker._protocol.connection import Connection
from tinker._protocol.failures import detail_of
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import is_final
from tinker._protocol.telemetry import SECONDS
from tinker.errors import APIStatusError, RequestErrorCategory, RequestFailedError
from tinker.events import PollState
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
            if progress.seconds_left() <= 0:
                raise connection.failures.too_late(progress)
            poll = await _Poll(
                connection, request, request_id, size is None, decode, progress
            ).outcome()
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


@define(eq=False)
class _Poll(Generic[T]):
    """One poll, and its outcome. After a 200 that is neither a result nor a known message, the client polls again."""

    connection: Connection
    request: Request[object]
    request_id: str
    takes_metadata: bool
    decode: Decoder[T]
    progress: Progress
    is_pending: bool = True
    size: int | None = None
    """Size of the result in bytes, if it is ready and was not sent."""
    failure: dict[str, Any] | None = None
    results: list[T] = field(factory=list)
    _until: asyncio.Timeout = field(factory=lambda: asyncio.timeout(None), init=False)
    _second: asyncio.Task[_Poll[T]] | None = field(default=None, init=False)

    async def outcome(self) -> _Poll[T]:
        """This poll when it has ended, or a second one that is sent when this one gets no response for long.

        The response to the first one may have been lost. It is not given up at once: the server may still hold it, and
        drops a result if its reader has gone. Once a later poll has a response, the earlier one is given up.
        """
        try:
            async with self._until:
                timer = asyncio.get_running_loop().call_later(SILENCE, self._ask_again)
                try:
                    return await self._ask()
                finally:
                    timer.cancel()
        except TimeoutError:
            if self._second is None or not self._until.expired():
                raise
            return self._second.result()
        finally:
            second, self._second = self._second, None
            if second is not None:
                second.cancel()

    def _ask_again(self) -> None:
        self.progress.polls += 1
        _log.SILENT_POLL(operation=self.progress.name(), seconds=SILENCE)
        second = _Poll(
            self.connection,
            self.request,
            self.request_id,
            self.takes_metadata,
            self.decode,
            self.progress,
        )
        self._second = asyncio.get_running_loop().create_task(second._ask())
        self._second.add_done_callback(self._overtake)

    def _overtake(self, second: asyncio.Task[_Poll[T]]) -> None:
        if second.cancelled():
            return
        error = second.exception()
        if self._second is None:  # the first one has its response too
            return
        if error is None or isinstance(error, RequestFailedError):
            self._until.reschedule(asyncio.get_running_loop().time())
        else:
            _log.SECOND_POLL_FAILED(operation=self.progress.name(), error=error)

    async def _ask(self) -> _Poll[T]:
        try:
            response = await self.connection.call(
                self.request,
                self.progress,
                policy=GIVE_UP,
                timeout=POLL_TIMEOUT,
                passed=(408,),
                read=self._read,
            )
        except APIStatusError as error:
            status, body = error.status_code, error.body
            if outcome.is_from_proxy(status, body):
                raise
            retried = status == 429 or status >= 500
            if status in _FAILURES or (retried and is_final(status, body)):
                self._tell(error.response, "failed")
                raise _refused(error, self.request_id, self.progress) from None
            raise
        if response.status_code == 408:
            message = _control_message(response.raw) or {}
            if is_final(408, message):
                self._tell(response.raw, "failed")
                refusal = self.connection.failures.refusal(response.raw, self.progress)
                raise _refused(refusal, self.request_id, self.progress)
            self._wait(response.raw, message)
        return self

    def _read(self, response: httpx.Response) -> None:
        message = _control_message(response)
        if message and (message.get("type") == "try_again" or message.get("status") == "pending"):
            self._wait(response, message)
            return
        state: PollState = "done"
        if message and message.get("status") == "complete_metadata" and self.takes_metadata:
            self.size = int(message["response_payload_size"])
            state = "ready"
        elif message and "error" in message:
            self.failure = message
            state = "failed"
        else:
            self.results.append(self.decode(response))
        self.is_pending = False
        self._in_queue("active", None)
        self._tell(response, state)

    def _wait(self, response: httpx.Response, message: dict[str, Any]) -> None:
        """The result is not ready; the response has the state of the queue."""
        state, reason = message.get("queue_state"), message.get("queue_state_reason")
        self._in_queue(str(state or "active"), str(reason) if reason else None)
        self._tell(response, "pending")

    def _tell(self, response: httpx.Response, state: PollState) -> None:
        """Count the poll, and notify observers."""
        seconds = response.extensions.get(SECONDS, 0.0)
        self.connection.telemetry.polled(self.progress, self.request_id, state, seconds)

    def _in_queue(self, state: str, reason: str | None) -> None:
        if self.progress.in_queue(state, reason):
            self.connection.telemetry.queued(self.progress)


def _control_message(response: httpx.Response) -> dict[str, Any] | None:
    """The body, if it is a short JSON object: anything larger is a result."""
    content = response.content
    if len(content) > 65536 or not content.startswith(b"{"):
        return None
    try:
        body = loads(content)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _refused(error: APIStatusError, request_id: str, progress: Progress) -> RequestFailedError:
    """The failure of an operation that the server reports by a status code."""
    user = error.status_code == 400
    category = RequestErrorCategory.User if user else RequestErrorCategory.Unknown
    text = detail_of(error.body, error.status_code)
    return RequestFailedError(f"{progress.name()} failed: {text}", request_id, category)


def _failure(response: dict[str, Any], request_id: str, progress: Progress) -> RequestFailedError:
    error, category = response["error"], response.get("category")
    if isinstance(error, dict):
        category = category or error.get("category")
        error = error.get("message", error)
    # Some servers send `user_error`.
    name = str(category).lower().removesuffix("_error")
    known = next((c for c in RequestErrorCategory if c == name), RequestErrorCategory.Unknown)
    return RequestFailedError(f"{progress.name()} failed: {error}", request_id, known)
