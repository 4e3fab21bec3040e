"""Export a session's trace"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.session_trace_export_response import SessionTraceExportResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    session_id: str,
) -> Request[SessionTraceExportResponse]:
    """Export a session's trace

    Returns the URL of a file that records what the session did and when. The status is `pending` while the server
    writes the file: repeat the request after 5 seconds.

    Args:
        session_id (str):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="export_session_trace",
        method="GET",
        path="/api/v1/sessions/{session_id}/trace_export".format(
            session_id=quote(session_id, safe=""),
        ),
        parse=_parse,
        headers=headers,
    )


def _parse(content: bytes) -> SessionTraceExportResponse:
    from ...models.session_trace_export_response import SessionTraceExportResponse

    return SessionTraceExportResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> SessionTraceExportResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [401, 403, 404, 405, 408, 429, 500, 503]:
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
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[SessionTraceExportResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Export a session's trace: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        session_id=session_id,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    session_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[SessionTraceExportResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Export a session's trace: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        session_id=session_id,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
