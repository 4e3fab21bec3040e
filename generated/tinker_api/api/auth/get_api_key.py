"""The API key that is presented"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.api_key_info import ApiKeyInfo
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/auth/apikey/me",
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
) -> ApiKeyInfo | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.api_key_info import ApiKeyInfo

        return ApiKeyInfo.from_dict(loads(response.content))

    if response.status_code in [401, 403, 404, 405, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ApiKeyInfo | ErrorResponse | ValidationErrorResponse]:
    """The API key that is presented

    Tells whose key it is. Used to sign in.

    """

    kwargs = _get_kwargs(
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ApiKeyInfo | ErrorResponse | ValidationErrorResponse]:
    """The API key that is presented

    Tells whose key it is. Used to sign in.

    """

    kwargs = _get_kwargs(
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
