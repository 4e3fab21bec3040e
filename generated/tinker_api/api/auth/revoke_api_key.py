"""Revoke the API key that is presented"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...models.error_response import ErrorResponse
from ...models.validation_error_response import ValidationErrorResponse
from ...types import Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient


def _get_kwargs(
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "delete",
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
) -> Any | ErrorResponse | ValidationErrorResponse | None:
    if response.status_code == 204:
        return None

    if response.status_code == 401:
        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code == 403:
        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code == 404:
        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code == 405:
        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code == 422:
        return ValidationErrorResponse.from_dict(loads(response.content))

    if response.status_code == 429:
        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code == 500:
        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code == 503:
        return ErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Any | ErrorResponse | ValidationErrorResponse]:
    """Revoke the API key that is presented

    Revokes exactly the key in `X-API-Key`. Used to sign out. Clients ignore the body.

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
) -> Response[Any | ErrorResponse | ValidationErrorResponse]:
    """Revoke the API key that is presented

    Revokes exactly the key in `X-API-Key`. Used to sign out. Clients ignore the body.

    """

    kwargs = _get_kwargs(
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
