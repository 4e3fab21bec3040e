"""Sends the requests of the generated `request` functions, with retries and clear errors: the only seam to the wire."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from logging import INFO, WARNING
from typing import Any, Generic, TypedDict, TypeVar

import httpx
from attrs import define, evolve, field, frozen

from tinker import _log
from tinker._http import credentials
from tinker._http.client import CONNECT_TIMEOUT, make_client
from tinker._http.config import Settings
from tinker._protocol import outcome, retry, server_traits
from tinker._protocol.failures import Failures, decode_body
from tinker._protocol.progress import Progress
from tinker._protocol.telemetry import Telemetry
from tinker._protocol.unknown_fields import UnknownFields
from tinker._version import SDK_VERSION
from tinker.errors import APIError
from tinker.retry_policy import RetryPolicy
from tinker_api import models, security
from tinker_api.api.auth import auth_token
from tinker_api.types import Message, Request, Response, StreamRequest

T = TypeVar("T")
R = TypeVar("R")

RESPONSE_TIMEOUT = 60.0
"""Timeout of a response in seconds."""
HELD_TIMEOUT = 600.0
"""Timeout in seconds of a response that may wait until a model is loaded or saved: some servers hold the request."""
UNUSABLE = (ValueError, KeyError, TypeError, AttributeError)
"""Exceptions of a `Reader` for a 2xx that does not match the operation."""
_SECOND_LOOK = 0.2
"""Maximum number of seconds until a route that seems missing is tried once more."""

Reader = Callable[[httpx.Response], object]
"""Parses a 2xx. Raises ValueError, KeyError, TypeError or AttributeError for one that cannot be used."""


@frozen
class Stream(Generic[T]):
    """The response to a `StreamRequest`: a stream of events, or another status code with its whole body."""

    raw: httpx.Response
    parse: Callable[[bytes], T]
    """Parses the data of an event; raises as `Message.parse` does."""

    @property
    def status_code(self) -> int:
        return self.raw.status_code

    @property
    def headers(self) -> httpx.Headers:
        return self.raw.headers


class Connection:
    """One server and one credential. Used only on the library's event loop."""

    def __init__(
        self,
        settings: Settings,
        headers: Mapping[str, str] | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.settings = settings
        self.policy = policy or RetryPolicy()
        self.tokens = retry.Tokens(self.policy)
        self.telemetry = Telemetry()
        self.failures = Failures(settings)
        self.unknown_fields = UnknownFields()
        self.billing_budget = 3600.0
        self.exchange: credentials.Exchange | None = None
        """Exchanges the credential for JWTs, if the server asks for that."""
        self._headers = dict(headers or {})
        self._http: httpx.AsyncClient | None = None
        self._pid = -1

    @property
    def http(self) -> httpx.AsyncClient:
        """The HTTP client; a new one in a forked process, because the sockets belong to the parent."""
        if self._http is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._http = make_client(
                self.settings, {security.HEADER: self.settings.api_key, **self._headers}
            )
        return self._http

    async def close(self) -> None:
        http, self._http = self._http, None
        if http is not None and self._pid == os.getpid():
            await http.aclose()

    # ---- credentials -------------------------------------------------------------------------

    def exchange_for_jwt(self) -> None:
        """Exchange the credential for JWTs from now on, as the server asks."""
        self.exchange = credentials.Exchange(self._ask_for_token)

    def take_from_command(self) -> None:
        """Use the output of the credential command as the credential from now on."""
        self.settings = evolve(self.settings, api_key=credentials.from_command())
        if self._http is not None:
            self.use(self.settings.api_key)

    async def credential(self) -> str:
        """The credential that requests carry."""
        if self.exchange is None:
            return self.settings.api_key
        return await self.exchange.token()

    async def _ask_for_token(self) -> str:
        self.use(self.settings.api_key)
        request, progress = (
            auth_token.request(body=models.AuthTokenRequest()),
            Progress("auth_token"),
        )
        delivery = _Delivery(
            self, request, progress, retry.DEFAULT, RESPONSE_TIMEOUT, key=self.settings.api_key
        )
        return self.parse(
            await delivery.response(partial(Response, parse=request.read)), progress
        ).jwt

    def use(self, credential: str) -> None:
        """Send this credential from now on."""
        self.http.headers[security.HEADER] = credential

    # ---- requests ---------------------------------------------------------------------------

    async def fetch(
        self,
        request: Request[T],
        progress: Progress,
        *,
        policy: RetryPolicy = retry.DEFAULT,
        timeout: float = RESPONSE_TIMEOUT,
    ) -> T:
        """Send a request and return the parsed body of its 2xx; arguments as for `call`."""
        return self.parse(
            await self.call(request, progress, policy=policy, timeout=timeout), progress
        )

    def call(
        self,
        request: Request[T],
        progress: Progress,
        *,
        policy: RetryPolicy = retry.DEFAULT,
        timeout: float = RESPONSE_TIMEOUT,
        passed: Collection[int] = (),
        read: Reader | None = None,
    ) -> Coroutine[Any, Any, Response[T]]:
        """Send a request until the server returns a usable 2xx; otherwise raise.

        A raised `APIError` says in `outcome_unknown` whether the server may have carried out the request.

        Args:
            request: What to send.
            progress: The operation it belongs to; named in errors and log lines.
            policy: How long to retry.
            timeout: Seconds to wait for the response to one attempt.
            passed: Other status codes to return instead of raising; `outcome.may_be_done` tells of such a response
                whether the server may have carried out the request. A missing route (404, 405) counts only after a
                second attempt.
            read: Parses a 2xx in place of the request's own parser; `ignore` if the body does not matter.
        """
        delivery = _Delivery(self, request, progress, policy, timeout, passed, read)
        return delivery.response(partial(Response, parse=request.read))

    def stream(
        self,
        request: StreamRequest[T],
        progress: Progress,
        *,
        policy: RetryPolicy = retry.DEFAULT,
        timeout: float = RESPONSE_TIMEOUT,
        passed: Collection[int] = (),
    ) -> Coroutine[Any, Any, Stream[T]]:
        """As `call`, for a stream of events. When it returns, only the headers of a 2xx have arrived."""
        delivery = _Delivery(self, request, progress, policy, timeout, passed, is_stream=True)
        return delivery.response(partial(Stream, parse=request.parse))

    def parse(self, response: Response[T], progress: Progress) -> T:
        """The parsed body of a 2xx."""
        try:
            return response.parsed
        except UNUSABLE as reason:
            raise self.failures.unexpected(response.raw, progress, reason) from None


@frozen
class _Again:
    """Why an attempt has not brought a response that can be returned, and when the next one begins."""

    cause: str
    """A status code or a phrase, for those who count retries."""
    pause: float | None
    """Seconds; None to give up."""
    error: APIError | None = None
    """What is raised if no attempt follows."""
    is_immediate: bool = False
    """Whether the next attempt differs from this one, or checks it: it is made at once and needs no token."""


@define(eq=False)
class _Delivery(Generic[T]):
    """One request, until the server has returned a usable response to it."""

    connection: Connection
    message: Message[T]
    progress: Progress
    policy: RetryPolicy
    timeout: float
    passed: Collection[int] = ()
    read: Reader | None = None
    is_stream: bool = False
    key: str | None = None
    """The credential to send, in place of what the connection sends."""
    _attempts: retry.Attempts = field(init=False)
    _exchanged: str = field(init=False, default="")
    """The JWT of the last attempt."""
    _has_replaced_jwt: bool = field(init=False, default=False)
    _has_looked_twice: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        connection, usual = self.connection, self.connection.policy
        self._attempts = retry.Attempts(retry.within(usual, self.policy), connection.billing_budget)
        is_poll = self.policy.budget >= usual.poll_budget
        if usual.attempt_timeout is not None and not is_poll:
            self.timeout = min(self.timeout, usual.attempt_timeout)
        self.message = connection.unknown_fields.left_out(self.message)

    async def response(self, wrap: Callable[[httpx.Response], R]) -> R:
        """Send it with retries; return what `wrap` makes of the response."""
        progress, waiting = self.progress, self.progress.doing
        progress.tries = 0
        while True:
            progress.doing = waiting
            self._attempts.made += 1
            progress.tries += 1
            found = await self._attempt(wrap)
            if not isinstance(found, _Again):
                return found
            await self._wait(found)

    async def _attempt(self, wrap: Callable[[httpx.Response], R]) -> R | _Again:
        connection, progress = self.connection, self.progress
        if progress.seconds_left() <= 0:
            raise self._final(connection.failures.too_late(progress))
        timeout = min(self.timeout, progress.seconds_left())
        headers = await self._credential()
        request = self.message.build(
            connection.http,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
        )
        try:
            raw = await connection.telemetry.send(
                connection.http,
                request,
                self.message.operation,
                progress,
                self._attempts.made,
                stream=self.is_stream,
            )
        except httpx.RequestError as reason:
            self._attempts.outcome_unknown |= not outcome.was_not_sent(reason)
            error = connection.failures.no_response(reason, progress)
            return _Again(outcome.cause_of(reason), self._pause(None), error)
        self._attempts.outcome_unknown |= outcome.was_sent_twice(raw)
        return self._usable(raw, wrap(raw)) if raw.is_success else self._refused(raw, wrap)

    async def _credential(self) -> Mapping[str, str] | None:
        """Headers in place of the connection's own."""
        connection = self.connection
        if self.key is not None:
            return {security.HEADER: self.key}
        if connection.exchange is not None:
            try:
                self._exchanged = await connection.exchange.token()
            except APIError as reason:
                reason.outcome_unknown = self._attempts.outcome_unknown
                raise
            connection.use(self._exchanged)
        return None

    # ---- what a response means --------------------------------------------------------------

    def _usable(self, raw: httpx.Response, response: R) -> R | _Again:
        """A 2xx, if its body is one of the operation's."""
        try:
            if self.read is not None:
                self.read(raw)
            elif isinstance(response, Response):
                _ = response.parsed
        except UNUSABLE as reason:
            self._attempts.outcome_unknown = True
            error = self.connection.failures.unexpected(raw, self.progress, reason)
            return _Again("unusable response", self._pause(raw, doubtful=True), error)
        self.connection.failures.has_responded = True
        self.connection.tokens.succeeded()
        return response

    def _refused(self, raw: httpx.Response, wrap: Callable[[httpx.Response], R]) -> R | _Again:
        """Another status code: passed to the caller, sent again with a difference, retried, or an error."""
        connection, attempts, status = self.connection, self._attempts, raw.status_code
        body = decode_body(raw.content)
        from_proxy = outcome.is_from_proxy(status, body)
        if status in self.passed and status in server_traits.REFUSALS_OF_A_ROUTE:
            connection.failures.has_responded |= not from_proxy
            pause = None if self._has_looked_twice else self._pause(raw, doubtful=True)
            self._has_looked_twice = True
            if pause is None:
                return wrap(self._marked(raw))
            return _Again(str(status), min(pause, _SECOND_LOOK), is_immediate=True)
        if status in self.passed and not from_proxy:
            connection.failures.has_responded = True
            return wrap(self._marked(raw))
        if self._exchanged and not self._has_replaced_jwt and _is_invalid_token(raw):
            self._has_replaced_jwt = True
            assert connection.exchange is not None
            connection.exchange.forget(self._exchanged)
            return _Again(str(status), 0.0, is_immediate=True)
        error = connection.failures.refusal(raw, self.progress)
        if connection.unknown_fields.learn(self.message.body, error):
            self.message = connection.unknown_fields.left_out(self.message)
            return _Again(str(status), 0.0, error, is_immediate=True)
        pause = None
        if not server_traits.is_final(status, body):
            may_be_done = attempts.outcome_unknown and outcome.may_follow_success(status)
            attempts.outcome_unknown |= outcome.is_unknown(status) or from_proxy
            pause = self._pause(raw, doubtful=from_proxy or may_be_done)
        if pause is None and status in self.passed:
            return wrap(self._marked(raw))
        connection.failures.has_responded |= body is not None and not server_traits.is_html(body)
        return _Again(str(status), pause, error)

    def _marked(self, raw: httpx.Response) -> httpx.Response:
        if self._attempts.outcome_unknown:
            outcome.mark(raw)
        return raw

    # ---- the next attempt -------------------------------------------------------------------

    def _pause(self, response: httpx.Response | None, *, doubtful: bool = False) -> float | None:
        """Seconds until the next attempt, or None; fewer for a host that has never responded as a server of this API."""
        attempts = self._attempts
        if not self.connection.failures.has_responded and (response is None or doubtful):
            first = retry.within(self.connection.policy, retry.FIRST_CONTACT)
            attempts.policy = min(attempts.policy, first, key=lambda policy: policy.budget)
        if response is None:
            return attempts.pause(None, None)
        return attempts.pause(response.status_code, response.headers, doubtful=doubtful)

    async def _wait(self, again: _Again) -> None:
        """Wait for the next attempt, or raise if no attempt is left."""
        pause, operation, telemetry = again.pause, self.message.operation, self.connection.telemetry
        if not again.is_immediate:
            assert again.error is not None
            if pause is not None:
                pause = max(pause, self.connection.tokens.take())
            if pause is None or pause >= self.progress.seconds_left():
                raise self._final(again.error)
            reason = again.error.message.rstrip(".")
            self.progress.doing = f"waiting {pause:.1f} s to retry ({reason})"
            _log.RETRY(
                WARNING if self._attempts.made > 1 else INFO,
                error=reason,
                pause=pause,
                operation=operation,
                attempt=self._attempts.made,
                cause=again.cause,
            )
        assert pause is not None
        telemetry.retrying(
            operation, self.progress, self._attempts.made, again.cause, pause, again.error
        )
        if pause:
            await telemetry.pause(pause, again.cause)

    def _final(self, error: APIError) -> APIError:
        """The error that the caller gets."""
        error.outcome_unknown = self._attempts.outcome_unknown
        is_read = outcome.changes_nothing(self.message.method, self.message.operation)
        if error.outcome_unknown and self._attempts.made > 1 and self.key is None and not is_read:
            error.add_note("An earlier attempt may have taken effect on the server.")
        return error


def ignore(response: httpx.Response) -> None:
    """Parse a 2xx whose body does not matter."""


def _is_invalid_token(response: httpx.Response) -> bool:
    challenge = response.headers.get("www-authenticate", "")
    return response.status_code == 401 and 'error="invalid_token"' in challenge


class SdkHeaders(TypedDict):
    """Header parameters that tell the server which SDK method sent the request."""

    x_sdk_version: str
    x_sdk_method: str


def sdk_headers(method: str) -> SdkHeaders:
    """The same parameters for a method such as `TrainingClient.optim_step`."""
    return {"x_sdk_version": SDK_VERSION, "x_sdk_method": method}
