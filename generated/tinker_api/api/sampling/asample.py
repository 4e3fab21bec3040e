"""Sample"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Response, Unset, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.sample_request import SampleRequest
    from ...models.untyped_api_future import UntypedAPIFuture
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: SampleRequest,
    x_tinker_sampling_backpressure: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/asample",
    }
    _headers: dict[str, str] = {}
    if not isinstance(x_tinker_sampling_backpressure, Unset):
        _headers["X-Tinker-Sampling-Backpressure"] = x_tinker_sampling_backpressure

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

    if response.status_code in [
        400,
        401,
        402,
        403,
        404,
        405,
        409,
        410,
        413,
        415,
        425,
        429,
        500,
        503,
    ]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: SampleRequest,
    x_tinker_sampling_backpressure: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | UntypedAPIFuture | ValidationErrorResponse]:
    """Sample

    Promises samples of a prompt. Either a sampler (`sampling_session_id` and `seq_id`) or `base_model` or
    `model_path` is given. 429 asks the client to wait and send the same request again: back-pressure, not
    an error.

    Args:
        x_tinker_sampling_backpressure (str | Unset):
        body (SampleRequest): A prompt to complete.
    """

    kwargs = _get_kwargs(
        body=body,
        x_tinker_sampling_backpressure=x_tinker_sampling_backpressure,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: SampleRequest,
    x_tinker_sampling_backpressure: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | UntypedAPIFuture | ValidationErrorResponse]:
    """Sample

    Promises samples of a prompt. Either a sampler (`sampling_session_id` and `seq_id`) or `base_model` or
    `model_path` is given. 429 asks the client to wait and send the same request again: back-pressure, not
    an error.

    Args:
        x_tinker_sampling_backpressure (str | Unset):
        body (SampleRequest): A prompt to complete.
    """

    kwargs = _get_kwargs(
        body=body,
        x_tinker_sampling_backpressure=x_tinker_sampling_backpressure,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
