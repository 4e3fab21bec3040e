"""Free a training run"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.unload_model_request import UnloadModelRequest
    from ...models.untyped_api_future import UntypedAPIFuture
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: UnloadModelRequest,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
) -> Request[UntypedAPIFuture]:
    """Free a training run

    Frees the model once the operations submitted before it are done. Its checkpoints remain. The hosted service has
    removed this route (404).

    Args:
        x_sdk_version (str | Unset):
        x_sdk_method (str | Unset):
        body (UnloadModelRequest): The model to free.
    """

    headers: dict[str, str] = {}
    if not isinstance(x_sdk_version, Unset):
        headers["X-Sdk-Version"] = x_sdk_version

    if not isinstance(x_sdk_method, Unset):
        headers["X-Sdk-Method"] = x_sdk_method

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="unload_model",
        method="POST",
        path="/api/v1/unload_model",
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
    body: UnloadModelRequest,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[UntypedAPIFuture | ErrorResponse | ValidationErrorResponse | None]:
    """Free a training run: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
        x_sdk_version=x_sdk_version,
        x_sdk_method=x_sdk_method,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: UnloadModelRequest,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[UntypedAPIFuture | ErrorResponse | ValidationErrorResponse | None]:
    """Free a training run: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
        x_sdk_version=x_sdk_version,
        x_sdk_method=x_sdk_method,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
