"""List the models that the server offers"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.get_server_capabilities_response import GetServerCapabilitiesResponse


def request() -> Request[GetServerCapabilitiesResponse]:
    """List the models that the server offers

    Lists the base models that can be trained or sampled from. The hosted service returns 402 to accounts without
    billing.

    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="get_server_capabilities",
        method="GET",
        path="/api/v1/get_server_capabilities",
        parse=_parse,
        headers=headers,
    )


def _parse(content: bytes) -> GetServerCapabilitiesResponse:
    from ...models.get_server_capabilities_response import GetServerCapabilitiesResponse

    return GetServerCapabilitiesResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> GetServerCapabilitiesResponse | ErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [401, 402, 405, 408, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetServerCapabilitiesResponse | ErrorResponse | None]:
    """List the models that the server offers: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request()
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetServerCapabilitiesResponse | ErrorResponse | None]:
    """List the models that the server offers: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request()
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
