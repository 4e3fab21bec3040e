"""Facts about a sampler"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.get_sampler_response import GetSamplerResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    sampler_id: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/samplers/{sampler_id}".format(
            sampler_id=quote(str(sampler_id), safe=""),
        ),
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
) -> ErrorResponse | GetSamplerResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.get_sampler_response import GetSamplerResponse

        return GetSamplerResponse.from_dict(loads(response.content))

    if response.status_code in [401, 403, 404, 405, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    sampler_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | GetSamplerResponse | ValidationErrorResponse]:
    """Facts about a sampler

    Tells the base model behind a sampler, and the checkpoint if there is one.

    Args:
        sampler_id (str):
    """

    kwargs = _get_kwargs(
        sampler_id=sampler_id,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    sampler_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | GetSamplerResponse | ValidationErrorResponse]:
    """Facts about a sampler

    Tells the base model behind a sampler, and the checkpoint if there is one.

    Args:
        sampler_id (str):
    """

    kwargs = _get_kwargs(
        sampler_id=sampler_id,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
