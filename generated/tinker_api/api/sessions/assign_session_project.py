"""Move a session to a project"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.assign_session_project_request import AssignSessionProjectRequest
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    session_id: str,
    *,
    body: AssignSessionProjectRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "put",
        "url": "/api/v1/sessions/{session_id}/project".format(
            session_id=quote(str(session_id), safe=""),
        ),
    }
    _headers: dict[str, str] = {}

    _kwargs["content"] = dumps(body.to_dict())

    _headers["Content-Type"] = "application/json"
    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(
    response: httpx.Response,
) -> Any | ErrorResponse | ValidationErrorResponse | None:
    if response.status_code in [204]:
        return None

    if response.status_code in [400, 401, 403, 404, 405, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    session_id: str,
    *,
    client: AuthenticatedClient,
    body: AssignSessionProjectRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Any | ErrorResponse | ValidationErrorResponse]:
    """Move a session to a project

    Clients ignore the body of the answer.

    Args:
        session_id (str):
        body (AssignSessionProjectRequest): Where to move a session.
    """

    kwargs = _get_kwargs(
        session_id=session_id,
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    session_id: str,
    *,
    client: AuthenticatedClient,
    body: AssignSessionProjectRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Any | ErrorResponse | ValidationErrorResponse]:
    """Move a session to a project

    Clients ignore the body of the answer.

    Args:
        session_id (str):
        body (AssignSessionProjectRequest): Where to move a session.
    """

    kwargs = _get_kwargs(
        session_id=session_id,
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
