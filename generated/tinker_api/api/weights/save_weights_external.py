"""Save weights for use elsewhere"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.save_weights_external_request import SaveWeightsExternalRequest
    from ...models.untyped_api_future import UntypedAPIFuture
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: SaveWeightsExternalRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/save_weights_external",
    }
    _headers: dict[str, str] = {}

    _kwargs["content"] = dumps(body.to_dict())

    _headers["Content-Type"] = "application/json"
    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(
    response: httpx.Response,
) -> ErrorResponse | UntypedAPIFuture | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.untyped_api_future import UntypedAPIFuture

        return UntypedAPIFuture.from_dict(loads(response.content))

    if response.status_code in [400, 401, 402, 403, 404, 405, 409, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: SaveWeightsExternalRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | UntypedAPIFuture | ValidationErrorResponse]:
    """Save weights for use elsewhere

    Saves a checkpoint of kind `external_weights`: files that other programs read, encrypted for the given age
    recipients
    if there are any.

    Args:
        body (SaveWeightsExternalRequest): Weights to save for use elsewhere.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: SaveWeightsExternalRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | UntypedAPIFuture | ValidationErrorResponse]:
    """Save weights for use elsewhere

    Saves a checkpoint of kind `external_weights`: files that other programs read, encrypted for the given age
    recipients
    if there are any.

    Args:
        body (SaveWeightsExternalRequest): Weights to save for use elsewhere.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
