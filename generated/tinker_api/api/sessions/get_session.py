"""Describe a session"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.get_session_access_scope import (
        GetSessionAccessScope,
    )
    from ...models.get_session_response import GetSessionResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    session_id: str,
    access_scope: GetSessionAccessScope | Unset = "owned",
) -> Request[GetSessionResponse]:
    """Describe a session

    Returns the training runs and samplers of a session.

    Args:
        session_id (str):
        access_scope (GetSessionAccessScope | Unset):  Default: 'owned'.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    query: dict[str, Any] = {}
    json_access_scope: str | Unset = UNSET
    if not isinstance(access_scope, Unset):
        json_access_scope = access_scope

    query["access_scope"] = json_access_scope
    query = {k: v for k, v in query.items() if v is not UNSET and v is not None}

    return Request(
        operation="get_session",
        method="GET",
        path="/api/v1/sessions/{session_id}".format(
            session_id=quote(session_id, safe=""),
        ),
        parse=_parse,
        query=query,
        headers=headers,
    )


def _parse(content: bytes) -> GetSessionResponse:
    from ...models.get_session_response import GetSessionResponse

    return GetSessionResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> GetSessionResponse | ErrorResponse | ValidationErrorResponse | None:
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
    session_id: str,
    *,
    client: AuthenticatedClient,
    access_scope: GetSessionAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a session: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        session_id=session_id,
        access_scope=access_scope,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    session_id: str,
    *,
    client: AuthenticatedClient,
    access_scope: GetSessionAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a session: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        session_id=session_id,
        access_scope=access_scope,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
