"""Describe the API key of the request"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.api_key_info import ApiKeyInfo
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request() -> Request[ApiKeyInfo]:
    """Describe the API key of the request

    Returns the name and the owner of the key in `X-API-Key`. Used to sign in.

    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="get_api_key",
        method="GET",
        path="/api/v1/auth/apikey/me",
        parse=_parse,
        headers=headers,
    )


def _parse(content: bytes) -> ApiKeyInfo:
    from ...models.api_key_info import ApiKeyInfo

    return ApiKeyInfo.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> ApiKeyInfo | ErrorResponse | ValidationErrorResponse | None:
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
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ApiKeyInfo | ErrorResponse | ValidationErrorResponse | None]:
    """Describe the API key of the request: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request()
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ApiKeyInfo | ErrorResponse | ValidationErrorResponse | None]:
    """Describe the API key of the request: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request()
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
