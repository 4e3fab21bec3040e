"""Search sessions"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.session_search_request import SessionSearchRequest
    from ...models.session_search_response import SessionSearchResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: SessionSearchRequest,
) -> Request[SessionSearchResponse]:
    """Search sessions

    Returns the sessions that match every filter, newest first; an absent or null filter matches all. `next_cursor`
    continues
    after the last session of the page, so that sessions created in the meantime do not shift the pages.

    Args:
        body (SessionSearchRequest): Filters of a search for sessions. A session must match all of them.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="search_sessions",
        method="POST",
        path="/api/v1/sessions/search",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> SessionSearchResponse:
    from ...models.session_search_response import SessionSearchResponse

    return SessionSearchResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> SessionSearchResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: SessionSearchRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[SessionSearchResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Search sessions: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: SessionSearchRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[SessionSearchResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Search sessions: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
