"""Finish a session"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.finish_session_request import FinishSessionRequest
    from ...models.finish_session_response import FinishSessionResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    session_id: str,
    body: FinishSessionRequest,
) -> Request[FinishSessionResponse]:
    """Finish a session

    Tells the server how the client's work ended. The first call counts; later ones are accepted and change nothing.
    Servers without the route return 404.

    Args:
        session_id (str):
        body (FinishSessionRequest): How the client's work ended.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="finish_session",
        method="POST",
        path="/api/v1/sessions/{session_id}/finish".format(
            session_id=quote(session_id, safe=""),
        ),
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> FinishSessionResponse:
    from ...models.finish_session_response import FinishSessionResponse

    return FinishSessionResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> FinishSessionResponse | ErrorResponse | ValidationErrorResponse | None:
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
    session_id: str,
    *,
    client: AuthenticatedClient,
    body: FinishSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[FinishSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Finish a session: send `request` and wait for the response, whatever its status code."""
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
    body: FinishSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[FinishSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Finish a session: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        session_id=session_id,
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
