"""Compute a loss and accumulate its gradients"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import File, Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.forward_backward_request import ForwardBackwardRequest
    from ...models.untyped_api_future import UntypedAPIFuture
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: ForwardBackwardRequest | File,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/forward_backward",
    }
    _headers: dict[str, str] = {}

    from ...models.forward_backward_request import ForwardBackwardRequest

    if isinstance(body, ForwardBackwardRequest):
        _kwargs["content"] = dumps(body.to_dict())

        _headers["Content-Type"] = "application/json"
    elif isinstance(body, File):
        _kwargs["content"] = body.payload

        _headers["Content-Type"] = "application/x-protobuf"
    else:
        raise TypeError(f"body: {type(body).__name__} is none of its types")
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
    body: ForwardBackwardRequest | File,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | UntypedAPIFuture | ValidationErrorResponse]:
    """Compute a loss and accumulate its gradients

    Gradients add up over calls until `optim_step`. A large batch is sent as several requests with consecutive
    `seq_id`s, whose results the client reduces. The protobuf body is a `ForwardBackwardRequest`, optionally one
    zstd frame with `Content-Encoding: zstd`; with `forward_only` it computes no gradient.

    Args:
        body (ForwardBackwardRequest): A batch to compute gradients of.
        body (File): A serialized message of package `tinker_public`: `ForwardBackwardRequest` as a request,
            `ForwardBackwardOutput` or `SampleResponse` as a result. The messages are in codegen/tinker.proto.
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
    body: ForwardBackwardRequest | File,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | UntypedAPIFuture | ValidationErrorResponse]:
    """Compute a loss and accumulate its gradients

    Gradients add up over calls until `optim_step`. A large batch is sent as several requests with consecutive
    `seq_id`s, whose results the client reduces. The protobuf body is a `ForwardBackwardRequest`, optionally one
    zstd frame with `Content-Encoding: zstd`; with `forward_only` it computes no gradient.

    Args:
        body (ForwardBackwardRequest): A batch to compute gradients of.
        body (File): A serialized message of package `tinker_public`: `ForwardBackwardRequest` as a request,
            `ForwardBackwardOutput` or `SampleResponse` as a result. The messages are in codegen/tinker.proto.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
