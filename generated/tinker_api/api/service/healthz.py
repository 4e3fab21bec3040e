"""Check that the server is up"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient, Client
    from ...models.error_response import ErrorResponse
    from ...models.health_response import HealthResponse


def request() -> Request[HealthResponse]:
    """Check that the server is up

    Returns as soon as the server accepts requests. Needs no credential.

    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="healthz",
        method="GET",
        path="/api/v1/healthz",
        parse=_parse,
        headers=headers,
    )


def _parse(content: bytes) -> HealthResponse:
    from ...models.health_response import HealthResponse

    return HealthResponse.from_dict(loads(content))


def _parse_response(response: httpx.Response) -> HealthResponse | ErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [405, 408, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient | Client,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[HealthResponse | ErrorResponse | None]:
    """Check that the server is up: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request()
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient | Client,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[HealthResponse | ErrorResponse | None]:
    """Check that the server is up: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request()
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
