"""Register a custom loss"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.create_custom_loss_request import CreateCustomLossRequest
    from ...models.error_response import ErrorResponse
    from ...models.untyped_api_future import UntypedAPIFuture
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: CreateCustomLossRequest,
) -> Request[UntypedAPIFuture]:
    """Register a custom loss

    Offered by servers whose client config has `custom_loss_server_side`. The loss is a graph of tensor operations,
    traced by
    the client; training requests name it with `loss_fn: custom` and `loss_fn_config: {loss_id: …}`. (`session_id`,
    `custom_loss_seq_id`) identifies it: a repeated request gets the original promise.

    Args:
        body (CreateCustomLossRequest): A loss to register.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="create_custom_loss",
        method="POST",
        path="/api/v1/create_custom_loss",
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
    if response.status_code in [
        400,
        401,
        402,
        403,
        404,
        405,
        408,
        409,
        410,
        413,
        415,
        429,
        500,
        503,
    ]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateCustomLossRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[UntypedAPIFuture | ErrorResponse | ValidationErrorResponse | None]:
    """Register a custom loss: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateCustomLossRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[UntypedAPIFuture | ErrorResponse | ValidationErrorResponse | None]:
    """Register a custom loss: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
