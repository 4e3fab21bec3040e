"""The errors of requests that fail, in words for the person who reads them."""

from __future__ import annotations

import httpx
import orjson

from tinker._http import credentials
from tinker._http.client import proxy_for, unresolved_host
from tinker._http.config import Settings
from tinker._protocol import server_traits
from tinker._protocol.progress import Progress
from tinker.errors import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    status_error_class,
)
from tinker_api.types import loads

_HINTS = {
    401: "Check TINKER_API_KEY",
    402: "Check the account's billing",
    413: "Send a smaller request",
}


class Failures:
    """Makes the errors of the requests to one server."""

    def __init__(self, settings: Settings) -> None:
        self.has_responded = False
        """Whether the host has responded as a server of this API. Until then, its address may be wrong."""
        self._settings = settings

    def too_late(self, progress: Progress) -> APITimeoutError:
        """The error of an operation that missed its deadline."""
        return APITimeoutError(
            httpx.Request("POST", self._settings.base_url),
            f"{progress.name()}: the deadline of {progress.deadline:g} s passed while {progress.doing}.",
        )

    def unexpected(
        self, response: httpx.Response, progress: Progress, reason: Exception | None
    ) -> APIResponseValidationError:
        """The error for a 2xx that does not match the contract."""
        kind = response.headers.get("content-type", "no content type")
        why = f" ({type(reason).__name__}: {reason})" if reason and "json" in kind else ""
        hide_credentials(response.request)
        body, server = decode_body(response.content), self._settings.base_url
        if self.has_responded:
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
        if status == 401 and not self._settings.has_own_key:
            text += ". No API key is set: set TINKER_API_KEY or pass api_key"
        elif hint := _HINTS.get(status):
            text += f". {hint}"
        hide_credentials(response.request)
        return status_error_class(status)(text, response, body)

    def _reason(self, status: int, body: object | None, location: str | None) -> str:
        server = self._settings.base_url
        if status < 400 and location:
            place = location.partition("?")[0]
            return f"{server} redirects to {place}: check TINKER_BASE_URL"
        if server_traits.is_html(body):
            phrase = httpx.codes.get_reason_phrase(status) or "no reason given"
            if not self.has_responded:
                return f"{phrase}, in an HTML page: {server} is not a Tinker server. Check TINKER_BASE_URL"
            return f"{phrase}, in an HTML page: a proxy returned it in place of {server}"
        if server_traits.lacks_route(status, body):
            return f"{server} does not offer this operation. If it should, check TINKER_BASE_URL"
        if unknown := server_traits.unknown_fields(body):
            return f"{server} does not know {', '.join(unknown)}"
        detail = detail_of(body, status)
        if server_traits.is_misread(body):
            return f"{server} expects another format: {detail}"
        if meaning := server_traits.explanation(detail):
            return f"{detail}: {meaning}"
        return detail

    def no_response(self, reason: httpx.RequestError, progress: Progress) -> APIConnectionError:
        server = self._settings.base_url
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
        if (proxy := proxy_for(self._settings)) is not None:
            text = f"{proxy} cannot connect to {server}: {what}{tries}. Check the proxy"
        elif (host := unresolved_host(reason, server)) is not None:
            text = f"the name {host} cannot be resolved: {what}{tries}. Check TINKER_BASE_URL"
        else:
            text = (
                f"cannot connect to {server}: {what}{tries}. "
                "Is the server running? Check TINKER_BASE_URL"
            )
        return APIConnectionError(request, f"{name}: {text}.")


def hide_credentials(request: httpx.Request) -> None:
    """Remove secrets from an exception's request, which may be logged or pickled for another process."""
    request.headers = httpx.Headers(credentials.without_credentials(request.headers))


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
    shown = str(detail).partition("Traceback (most recent call last)")[0] or str(detail)
    text = " ".join(shown.split())
    return text if len(text) <= 500 else text[:500] + "…"


def _issue(issue: object) -> str:
    if not isinstance(issue, dict):
        return str(issue)
    where = ".".join(server_traits.location_of(issue))
    return f"{where}: {issue.get('msg', issue)}" if where else str(issue.get("msg", issue))
