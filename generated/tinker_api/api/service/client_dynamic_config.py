"""Read the settings that may change while a client runs"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.client_config_request import ClientConfigRequest
    from ...models.client_dynamic_config_response import ClientDynamicConfigResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: ClientConfigRequest,
) -> Request[ClientDynamicConfigResponse]:
    """Read the settings that may change while a client runs

    Clients read it again every `refresh_interval_sec` seconds. Without this route (404) a client uses all defaults.

    Args:
        body (ClientConfigRequest): The client that asks for settings.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="client_dynamic_config",
        method="POST",
        path="/api/v1/client/dynamic_config",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> ClientDynamicConfigResponse:
    from ...models.client_dynamic_config_response import ClientDynamicConfigResponse

    return ClientDynamicConfigResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> ClientDynamicConfigResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ClientConfigRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ClientDynamicConfigResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Read the settings that may change while a client runs: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ClientConfigRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ClientDynamicConfigResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Read the settings that may change while a client runs: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
