"""Compute a loss and accumulate its gradients"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import UNSET, File, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.forward_backward_content_encoding import (
        ForwardBackwardContentEncoding,
    )
    from ...models.forward_backward_request import ForwardBackwardRequest
    from ...models.untyped_api_future import UntypedAPIFuture
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: ForwardBackwardRequest | File,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
    content_encoding: ForwardBackwardContentEncoding | Unset = UNSET,
) -> Request[UntypedAPIFuture]:
    """Compute a loss and accumulate its gradients

    Gradients add up over calls until `optim_step`. A client sends a large batch as several requests with consecutive
    `seq_id`s and reduces their results. The protobuf body is a `ForwardBackwardRequest`, optionally compressed as one
    zstd frame with `Content-Encoding: zstd`; with `forward_only` it computes no gradient.

    Args:
        x_sdk_version (str | Unset):
        x_sdk_method (str | Unset):
        content_encoding (ForwardBackwardContentEncoding | Unset):
        body (ForwardBackwardRequest): A batch to compute gradients of.
        body (File): A serialized message of package `tinker_public`: `ForwardBackwardRequest` as a request,
            `ForwardBackwardOutput` or `SampleResponse` as a result. The messages are in codegen/tinker.proto.
    """

    headers: dict[str, str] = {}
    if not isinstance(x_sdk_version, Unset):
        headers["X-Sdk-Version"] = x_sdk_version

    if not isinstance(x_sdk_method, Unset):
        headers["X-Sdk-Method"] = x_sdk_method

    if not isinstance(content_encoding, Unset):
        headers["Content-Encoding"] = str(content_encoding)

    headers["Accept"] = "application/json"
    if isinstance(body, File):
        headers["Content-Type"] = "application/x-protobuf"
    else:
        from ...models.forward_backward_request import ForwardBackwardRequest

        if isinstance(body, ForwardBackwardRequest):
            headers["Content-Type"] = "application/json"
        else:
            raise TypeError(
                f"body is of type {type(body).__name__}; it must be one of: ForwardBackwardRequest, File"
            )

    return Request(
        operation="forward_backward",
        method="POST",
        path="/api/v1/forward_backward",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> UntypedAPIFuture:
    from ...models.untyped_api_future import UntypedAPIFuture

    return UntypedAPIFuture.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> UntypedAPIFuture | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 408, 409, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ForwardBackwardRequest | File,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
    content_encoding: ForwardBackwardContentEncoding | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[UntypedAPIFuture | ErrorResponse | ValidationErrorResponse | None]:
    """Compute a loss and accumulate its gradients: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
        x_sdk_version=x_sdk_version,
        x_sdk_method=x_sdk_method,
        content_encoding=content_encoding,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ForwardBackwardRequest | File,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
    content_encoding: ForwardBackwardContentEncoding | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[UntypedAPIFuture | ErrorResponse | ValidationErrorResponse | None]:
    """Compute a loss and accumulate its gradients: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
        x_sdk_version=x_sdk_version,
        x_sdk_method=x_sdk_method,
        content_encoding=content_encoding,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
