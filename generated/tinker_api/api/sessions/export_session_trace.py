"""Export a session's trace"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.session_trace_export_response import SessionTraceExportResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    session_id: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/sessions/{session_id}/trace_export".format(
            session_id=quote(str(session_id), safe=""),
        ),
    }
    _headers: dict[str, str] = {}

    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(
    response: httpx.Response,
) -> ErrorResponse | SessionTraceExportResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.session_trace_export_response import SessionTraceExportResponse

        return SessionTraceExportResponse.from_dict(loads(response.content))

    if response.status_code in [401, 403, 404, 405, 429, 500, 503]:
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
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | SessionTraceExportResponse | ValidationErrorResponse]:
    """Export a session's trace

    A file of what was done when. While the server writes it the status is `pending`: ask again after 5 seconds.

    Args:
        session_id (str):
    """

    kwargs = _get_kwargs(
        session_id=session_id,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    session_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | SessionTraceExportResponse | ValidationErrorResponse]:
    """Export a session's trace

    A file of what was done when. While the server writes it the status is `pending`: ask again after 5 seconds.

    Args:
        session_id (str):
    """

    kwargs = _get_kwargs(
        session_id=session_id,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
