"""Read the settings that a client needs at start"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.client_config_request import ClientConfigRequest
    from ...models.client_config_response import ClientConfigResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: ClientConfigRequest,
) -> Request[ClientConfigResponse]:
    """Read the settings that a client needs at start

    Clients read it once, before they open a session, with the raw credential. Every field of the response is optional
    and
    has a default. `{}` is a valid response, and without this route (404) a client uses all defaults.

    Args:
        body (ClientConfigRequest): The client that asks for settings.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="client_config",
        method="POST",
        path="/api/v1/client/config",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> ClientConfigResponse:
    from ...models.client_config_response import ClientConfigResponse

    return ClientConfigResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> ClientConfigResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 405, 408, 413, 415, 429, 500, 503]:
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
) -> Response[ClientConfigResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Read the settings that a client needs at start: send `request` and wait for the response, whatever its status code."""
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
) -> Response[ClientConfigResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Read the settings that a client needs at start: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
