"""Move a session to a project"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import Request, Response, loads, nothing

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.assign_session_project_request import AssignSessionProjectRequest
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    session_id: str,
    body: AssignSessionProjectRequest,
) -> Request[None]:
    """Move a session to a project

    Assigns the session to another project. Clients ignore the response body.

    Args:
        session_id (str):
        body (AssignSessionProjectRequest): The project to move a session to.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="assign_session_project",
        method="PUT",
        path="/api/v1/sessions/{session_id}/project".format(
            session_id=quote(session_id, safe=""),
        ),
        parse=nothing,
        body=body,
        headers=headers,
    )


def _parse_response(response: httpx.Response) -> None | ErrorResponse | ValidationErrorResponse:
    if response.is_success:
        return None
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
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
    body: AssignSessionProjectRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[None | ErrorResponse | ValidationErrorResponse]:
    """Move a session to a project: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        session_id=session_id,
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    session_id: str,
    *,
    client: AuthenticatedClient,
    body: AssignSessionProjectRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[None | ErrorResponse | ValidationErrorResponse]:
    """Move a session to a project: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        session_id=session_id,
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
