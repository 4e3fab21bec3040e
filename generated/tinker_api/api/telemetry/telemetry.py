"""Report client events"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.telemetry_response import TelemetryResponse
    from ...models.telemetry_send_request import TelemetrySendRequest
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: TelemetrySendRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/telemetry",
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
) -> ErrorResponse | TelemetryResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.telemetry_response import TelemetryResponse

        return TelemetryResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 405, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: TelemetrySendRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | TelemetryResponse | ValidationErrorResponse]:
    """Report client events

    At most 100 events a request. Never carries a credential.

    Args:
        body (TelemetrySendRequest): Events of one client.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: TelemetrySendRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | TelemetryResponse | ValidationErrorResponse]:
    """Report client events

    At most 100 events a request. Never carries a credential.

    Args:
        body (TelemetrySendRequest): Events of one client.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
