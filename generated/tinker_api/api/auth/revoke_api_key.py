"""Revoke the API key of the request"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads, nothing

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request() -> Request[None]:
    """Revoke the API key of the request

    Revokes the key in `X-API-Key` and no other. Used to sign out. Clients ignore the response body.

    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="revoke_api_key",
        method="DELETE",
        path="/api/v1/auth/apikey/me",
        parse=nothing,
        headers=headers,
    )


def _parse_response(response: httpx.Response) -> None | ErrorResponse | ValidationErrorResponse:
    if response.is_success:
        return None
    content = response.content
    if response.status_code in [401, 403, 404, 405, 408, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[None | ErrorResponse | ValidationErrorResponse]:
    """Revoke the API key of the request: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request()
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[None | ErrorResponse | ValidationErrorResponse]:
    """Revoke the API key of the request: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request()
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
