"""Report client events"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.telemetry_response import TelemetryResponse
    from ...models.telemetry_send_request import TelemetrySendRequest
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: TelemetrySendRequest,
) -> Request[TelemetryResponse]:
    """Report client events

    Takes at most 100 events in one request. Events never contain a credential.

    Args:
        body (TelemetrySendRequest): Events of one client.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="telemetry",
        method="POST",
        path="/api/v1/telemetry",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> TelemetryResponse:
    from ...models.telemetry_response import TelemetryResponse

    return TelemetryResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> TelemetryResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: TelemetrySendRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[TelemetryResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Report client events: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: TelemetrySendRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[TelemetryResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Report client events: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
