"""Facts behind a tinker path"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse
    from ...models.weights_info_request import WeightsInfoRequest
    from ...models.weights_info_response import WeightsInfoResponse


def _get_kwargs(
    *,
    body: WeightsInfoRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/weights_info",
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
) -> ErrorResponse | ValidationErrorResponse | WeightsInfoResponse | None:
    if response.is_success:
        from ...models.weights_info_response import WeightsInfoResponse

        return WeightsInfoResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 413, 415, 425, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: WeightsInfoRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | ValidationErrorResponse | WeightsInfoResponse]:
    """Facts behind a tinker path

    Tells what is needed to create a training run from a checkpoint. Works for published checkpoints of others too.

    Args:
        body (WeightsInfoRequest): Which checkpoint to tell about.
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
    body: WeightsInfoRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | ValidationErrorResponse | WeightsInfoResponse]:
    """Facts behind a tinker path

    Tells what is needed to create a training run from a checkpoint. Works for published checkpoints of others too.

    Args:
        body (WeightsInfoRequest): Which checkpoint to tell about.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
