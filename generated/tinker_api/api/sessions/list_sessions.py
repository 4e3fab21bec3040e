"""List sessions"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.list_sessions_access_scope import (
        ListSessionsAccessScope,
    )
    from ...models.list_sessions_response import ListSessionsResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: ListSessionsAccessScope | Unset = "owned",
) -> Request[ListSessionsResponse]:
    """List sessions

    Lists the ids of your sessions, newest first.

    Args:
        limit (int | Unset):  Default: 20.
        offset (int | Unset):  Default: 0.
        access_scope (ListSessionsAccessScope | Unset):  Default: 'owned'.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    query: dict[str, Any] = {}
    query["limit"] = limit
    query["offset"] = offset
    json_access_scope: str | Unset = UNSET
    if not isinstance(access_scope, Unset):
        json_access_scope = access_scope

    query["access_scope"] = json_access_scope
    query = {k: v for k, v in query.items() if v is not UNSET and v is not None}

    return Request(
        operation="list_sessions",
        method="GET",
        path="/api/v1/sessions",
        parse=_parse,
        query=query,
        headers=headers,
    )


def _parse(content: bytes) -> ListSessionsResponse:
    from ...models.list_sessions_response import ListSessionsResponse

    return ListSessionsResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> ListSessionsResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: ListSessionsAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ListSessionsResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List sessions: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        limit=limit,
        offset=offset,
        access_scope=access_scope,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 20,
    offset: int | Unset = 0,
    access_scope: ListSessionsAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ListSessionsResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List sessions: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        limit=limit,
        offset=offset,
        access_scope=access_scope,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
