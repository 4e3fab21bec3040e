"""Sends the requests of the generated `request` functions, with retries and clear errors: the only seam to the wire."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from logging import INFO, WARNING
from typing import Any, Generic, TypedDict, TypeVar

import httpx
import orjson
from attrs import evolve, frozen

from tinker import _log
from tinker._http import credentials
from tinker._http.client import CONNECT_TIMEOUT, make_client, proxy_for, unresolved_host
from tinker._http.config import Settings
from tinker._protocol import outcome, retry, server_traits
from tinker._protocol.progress import Progress
from tinker._protocol.telemetry import Telemetry
from tinker._version import SDK_VERSION
from tinker.errors import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    status_error_class,
)
from tinker.retry_policy import RetryPolicy
from tinker_api import models, security
from tinker_api.api.auth import auth_token
from tinker_api.types import File, JSONBody, Message, Request, Response, StreamRequest, loads

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
        self._tokens = retry.Tokens(self.policy)
        self.telemetry = Telemetry()
        self.billing_budget = 3600.0
        self._headers = dict(headers or {})
        self._has_responded = False
        self._exchange: credentials.Exchange | None = None
        self._http: httpx.AsyncClient | None = None
        self._pid = -1
        self._unknown: dict[type, set[str]] = {}
        """Fields that the server does not know, for each kind of request."""

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
        self._exchange = credentials.Exchange(self._ask_for_token)

    def take_from_command(self) -> None:
        """Use the output of the credential command as the credential from now on."""
        self.settings = evolve(self.settings, api_key=credentials.from_command())
        if self._http is not None:
            self._use(self.settings.api_key)

    async def credential(self) -> str:
        """The credential that requests carry."""
        if self._exchange is None:
            return self.settings.api_key
        return await self._exchange.token()

    async def _ask_for_token(self) -> str:
        progress = Progress("auth_token")
        exchange = auth_token.request(body=models.AuthTokenRequest())
        self._use(self.settings.api_key)
        attempts = retry.Attempts(retry.within(self.policy, retry.DEFAULT))
        while True:
            attempts.made += 1
            progress.tries += 1
            try:
                key = {security.HEADER: self.settings.api_key}
                raw = await self.telemetry.send(
                    self.http,
                    exchange.build(self.http, headers=key),
                    exchange.operation,
                    progress,
                    attempts.made,
                )
            except httpx.TransportError as reason:
                error: APIError = self._no_response(reason, progress)
                cause = outcome.cause_of(reason)
                pause = attempts.pause(None, None)
            else:
                response = Response(raw, exchange.read)
                if response.status_code < 300:
                    return self.parse(response, progress).jwt
                error, cause = self.refusal(raw, progress), str(response.status_code)
                pause = attempts.pause(response.status_code, response.headers)
            if pause is None:
                raise error
            self.telemetry.retrying(
                exchange.operation, progress, attempts.made, cause, pause, error
            )
            await self.telemetry.pause(pause, cause)

    def _use(self, credential: str) -> None:
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
        wrap = partial(Response, parse=request.read)
        return self._send(request, progress, policy, timeout, passed, wrap, read)

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
        wrap = partial(Stream, parse=request.parse)
        return self._send(request, progress, policy, timeout, passed, wrap, None, stream=True)

    async def _send(
        self,
        message: Message[T],
        progress: Progress,
        policy: RetryPolicy,
        timeout: float,
        passed: Collection[int],
        wrap: Callable[[httpx.Response], R],
        read: Reader | None,
        *,
        stream: bool = False,
    ) -> R:
        """Send a request with retries, and return what `wrap` makes of the response. `read` raises if a 2xx cannot be used; None
        means the request's own parser."""
        attempts = retry.Attempts(retry.within(self.policy, policy), self.billing_budget)
        if self.policy.attempt_timeout is not None and policy.budget < self.policy.poll_budget:
            timeout = min(timeout, self.policy.attempt_timeout)
        progress.tries = 0
        replayed = lacked_route = False
        waiting = progress.doing
        message = self._without_unknown(message)
        while True:
            progress.doing = waiting
            attempts.made += 1
            progress.tries += 1
            error: APIError
            credential = ""
            if progress.seconds_left() <= 0:
                error = self.too_late(progress)
                error.outcome_unknown = attempts.outcome_unknown
                raise error
            limits = httpx.Timeout(min(timeout, progress.seconds_left()), connect=CONNECT_TIMEOUT)
            if self._exchange is not None:
                try:
                    credential = await self._exchange.token()
                except APIError as reason:
                    reason.outcome_unknown = attempts.outcome_unknown
                    raise
                self._use(credential)
            try:
                raw = await self.telemetry.send(
                    self.http,
                    message.build(self.http, timeout=limits),
                    message.operation,
                    progress,
                    attempts.made,
                    stream=stream,
                )
            except httpx.TransportError as reason:
                cause = outcome.cause_of(reason)
                attempts.outcome_unknown |= not outcome.was_not_sent(reason)
                error = self._no_response(reason, progress)
                pause = self._pause(attempts, None)
            else:
                attempts.outcome_unknown |= outcome.was_sent_twice(raw)
                status = raw.status_code
                cause = str(status)
                body = None if raw.is_success else decode_body(raw.content)
                from_proxy = outcome.is_from_proxy(status, body)
                if raw.is_success:
                    response = wrap(raw)
                    try:
                        if read is not None:
                            read(raw)
                        elif isinstance(response, Response):
                            _ = response.parsed
                    except UNUSABLE as reason:
                        attempts.outcome_unknown = True
                        cause = "unusable response"
                        error = self.unexpected(raw, progress, reason)
                        pause = self._pause(attempts, raw, doubtful=True)
                    else:
                        self._has_responded = True
                        self._tokens.succeeded()
                        return response
                elif status in passed and status in server_traits.REFUSALS_OF_A_ROUTE:
                    self._has_responded |= not from_proxy
                    pause = None if lacked_route else self._pause(attempts, raw, doubtful=True)
                    if pause is None:
                        return wrap(_marked(raw, attempts))
                    lacked_route = True
                    pause = min(pause, _SECOND_LOOK)
                    self.telemetry.retrying(
                        message.operation, progress, attempts.made, cause, pause
                    )
                    await self.telemetry.pause(pause, cause)
                    continue
                elif status in passed and not from_proxy:
                    self._has_responded = True
                    return wrap(_marked(raw, attempts))
                elif self._exchange is not None and not replayed and _is_invalid_token(raw):
                    replayed = True
                    self._exchange.forget(credential)
                    self.telemetry.retrying(message.operation, progress, attempts.made, cause, 0.0)
                    continue
                else:
                    error = refusal = self.refusal(raw, progress)
                    if self._learns_unknown(message.body, refusal):
                        message = self._without_unknown(message)
                        self.telemetry.retrying(
                            message.operation, progress, attempts.made, cause, 0.0, refusal
                        )
                        continue
                    if server_traits.is_final(status, body):
                        pause = None
                    else:
                        may_be_done = attempts.outcome_unknown and outcome.may_follow_success(
                            status
                        )
                        attempts.outcome_unknown |= outcome.is_unknown(status) or from_proxy
                        doubtful = from_proxy or may_be_done
                        pause = self._pause(attempts, raw, doubtful=doubtful)
                    if pause is None and status in passed:
                        return wrap(_marked(raw, attempts))
                    self._has_responded |= body is not None and not server_traits.is_html(body)
            if pause is not None:
                pause = max(pause, self._tokens.take())
            if pause is None or pause >= progress.seconds_left():
                error.outcome_unknown = attempts.outcome_unknown
                if attempts.outcome_unknown and attempts.made > 1:
                    error.add_note("An earlier attempt may have taken effect on the server.")
                raise error
            progress.doing = f"waiting {pause:.1f} s to retry ({error.message.rstrip('.')})"
            _log.RETRY(
                WARNING if attempts.made > 1 else INFO,
                error=error.message.rstrip("."),
                pause=pause,
                operation=message.operation,
                attempt=attempts.made,
                cause=cause,
            )
            self.telemetry.retrying(message.operation, progress, attempts.made, cause, pause, error)
            await self.telemetry.pause(pause, cause)

    def too_late(self, progress: Progress) -> APITimeoutError:
        """The error of an operation that missed its deadline."""
        return APITimeoutError(
            httpx.Request("POST", self.settings.base_url),
            f"{progress.name()}: the deadline of {progress.deadline:g} s passed while {progress.doing}.",
        )

    def _pause(
        self, attempts: retry.Attempts, response: httpx.Response | None, *, doubtful: bool = False
    ) -> float | None:
        """Seconds until the next attempt; None for a host that has never responded as a server of this API."""
        if not self._has_responded and (response is None or doubtful):
            first = retry.within(self.policy, retry.FIRST_CONTACT)
            attempts.policy = min(attempts.policy, first, key=lambda p: p.budget)
        if response is None:
            return attempts.pause(None, None)
        return attempts.pause(response.status_code, response.headers, doubtful=doubtful)

    def _learns_unknown(self, body: JSONBody | File | None, refusal: APIStatusError) -> bool:
        """Whether the server rejected only fields that the request can do without. They are remembered."""
        unknown = server_traits.unknown_members(refusal.body)
        sent = {name for name in unknown if getattr(body, name, None) is not None}
        if not sent or not sent <= server_traits.DISPENSABLE_FIELDS:
            return False
        _log.FIELDS_LEFT_OUT(error=refusal.message, fields=sorted(sent))
        self._unknown.setdefault(type(body), set()).update(sent)
        return True

    def _without_unknown(self, message: Message[T]) -> Message[T]:
        """The message without the fields that the server does not know."""
        unknown = self._unknown.get(type(message.body))
        if not unknown or message.body is None:
            return message
        return evolve(message, body=evolve(message.body, **dict.fromkeys(unknown)))  # type: ignore[misc]  # a generated model

    def parse(self, response: Response[T], progress: Progress) -> T:
        """The parsed body of a 2xx."""
        try:
            return response.parsed
        except UNUSABLE as reason:
            raise self.unexpected(response.raw, progress, reason) from None

    def unexpected(
        self, response: httpx.Response, progress: Progress, reason: Exception | None
    ) -> APIResponseValidationError:
        """The error for a 2xx that does not match the contract."""
        kind = response.headers.get("content-type", "no content type")
        why = f" ({type(reason).__name__}: {reason})" if reason and "json" in kind else ""
        hide_credentials(response.request)
        body, server = decode_body(response.content), self.settings.base_url
        if self._has_responded:
            hint = "Perhaps a proxy returned it."
        elif server_traits.is_html(body):
            hint = f"{server} is not a Tinker server. Check TINKER_BASE_URL."
        else:
            hint = "Is it a Tinker server? Check TINKER_BASE_URL."
        return APIResponseValidationError(
            response,
            body,
            f"{progress.name()}: {server} returned {response.status_code} with "
            f"{len(response.content)} bytes of {kind} that do not match the contract{why}. {hint}",
        )

    def refusal(self, response: httpx.Response, progress: Progress) -> APIStatusError:
        """The error for a status code that is not a success."""
        body = decode_body(response.content)
        status = response.status_code
        reason = self._reason(status, body, response.headers.get("location"))
        text = f"{progress.name()} failed with status {status}: {reason}"
        if progress.tries > 1:
            text += f" (tried {progress.tries} times in {progress.waited:.0f} s)"
        if hint := _HINTS.get(status):
            text += f". {hint}"
        hide_credentials(response.request)
        return status_error_class(status)(text, response, body)

    def _reason(self, status: int, body: object | None, location: str | None) -> str:
        server = self.settings.base_url
        if status < 400 and location:
            place = location.partition("?")[0]
            return f"{server} redirects to {place}: check TINKER_BASE_URL"
        if server_traits.is_html(body):
            phrase = httpx.codes.get_reason_phrase(status) or "no reason given"
            if not self._has_responded:
                return f"{phrase}, in an HTML page: {server} is not a Tinker server. Check TINKER_BASE_URL"
            return f"{phrase}, in an HTML page: a proxy returned it in place of {server}"
        if server_traits.lacks_route(status, body):
            return f"{server} does not offer this operation. If it should, check TINKER_BASE_URL"
        if unknown := server_traits.unknown_members(body):
            return f"{server} does not know {', '.join(unknown)}"
        detail = detail_of(body, status)
        if server_traits.is_misread(body):
            return f"{server} expects another format: {detail}"
        if meaning := server_traits.explanation(detail):
            return f"{detail}: {meaning}"
        return detail

    def _no_response(self, reason: httpx.TransportError, progress: Progress) -> APIConnectionError:
        server = self.settings.base_url
        what = str(reason) or type(reason).__name__
        tries = f" (tried {progress.tries} times)" if progress.tries > 1 else ""
        request = getattr(reason, "_request", None) or httpx.Request("POST", server)
        hide_credentials(request)
        name = progress.name()
        if isinstance(reason, httpx.TimeoutException) and not isinstance(
            reason, httpx.ConnectTimeout
        ):
            return APITimeoutError(request, f"{name}: no response from {server} in time{tries}.")
        if not isinstance(reason, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            return APIConnectionError(
                request, f"{name}: the connection to {server} broke: {what}{tries}."
            )
        if (proxy := proxy_for(self.settings)) is not None:
            text = f"{proxy} cannot connect to {server}: {what}{tries}. Check the proxy"
        elif (host := unresolved_host(reason, server)) is not None:
            text = f"the name {host} cannot be resolved: {what}{tries}. Check TINKER_BASE_URL"
        else:
            text = (
                f"cannot connect to {server}: {what}{tries}. "
                "Is the server running? Check TINKER_BASE_URL"
            )
        return APIConnectionError(request, f"{name}: {text}.")


def _marked(response: httpx.Response, attempts: retry.Attempts) -> httpx.Response:
    if attempts.outcome_unknown:
        outcome.mark(response)
    return response


def ignore(response: httpx.Response) -> None:
    """Parse a 2xx whose body does not matter."""


def hide_credentials(request: httpx.Request) -> None:
    """Remove secrets from an exception's request, which may be logged or pickled for another process."""
    request.headers = httpx.Headers(credentials.without_credentials(request.headers))


def _is_invalid_token(response: httpx.Response) -> bool:
    challenge = response.headers.get("www-authenticate", "")
    return response.status_code == 401 and 'error="invalid_token"' in challenge


_HINTS = {
    401: "Check TINKER_API_KEY",
    402: "Check the account's billing",
    413: "Send a smaller request",
}


def decode_body(content: bytes) -> object | None:
    """The decoded JSON of a body, its text if it is not JSON, or None if it is empty."""
    if not content:
        return None
    try:
        return loads(content)  # type: ignore[no-any-return]
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")


def detail_of(body: object | None, status: int) -> str:
    """The message of an error body, in one line of limited length."""
    detail: object = body
    if isinstance(body, dict):
        detail = body.get("detail", body.get("error", body))
    if isinstance(detail, list):
        detail = "; ".join(_issue(issue) for issue in detail[:5])
    if detail is None or detail == "" or server_traits.is_html(detail):
        return httpx.codes.get_reason_phrase(status) or "no reason given"
    # Some servers return tracebacks, which are for their own log.
    said = str(detail).partition("Traceback (most recent call last)")[0] or str(detail)
    text = " ".join(said.split())
    return text if len(text) <= 500 else text[:500] + "…"


def _issue(issue: object) -> str:
    if not isinstance(issue, dict):
        return str(issue)
    where = ".".join(str(part) for part in issue.get("loc", ()))
    return f"{where}: {issue.get('msg', issue)}" if where else str(issue.get("msg", issue))


class SdkHeaders(TypedDict):
    """Header parameters that tell the server which SDK method sent the request."""

    x_sdk_version: str
    x_sdk_method: str


def sdk_headers(method: str) -> SdkHeaders:
    """The same parameters for a method such as `TrainingClient.optim_step`."""
    return {"x_sdk_version": SDK_VERSION, "x_sdk_method": method}
