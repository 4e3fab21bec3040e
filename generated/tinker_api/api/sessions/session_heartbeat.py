"""Keep a session alive"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.session_heartbeat_request import SessionHeartbeatRequest
    from ...models.session_heartbeat_response import SessionHeartbeatResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: SessionHeartbeatRequest,
) -> Request[SessionHeartbeatResponse]:
    """Keep a session alive

    Sent every 10 seconds while the client runs. 410 means that the session has ended and the client should stop
    sending.

    Args:
        body (SessionHeartbeatRequest): A session whose client is running.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="session_heartbeat",
        method="POST",
        path="/api/v1/session_heartbeat",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> SessionHeartbeatResponse:
    from ...models.session_heartbeat_response import SessionHeartbeatResponse

    return SessionHeartbeatResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> SessionHeartbeatResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 410, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: SessionHeartbeatRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[SessionHeartbeatResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Keep a session alive: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: SessionHeartbeatRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[SessionHeartbeatResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Keep a session alive: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
