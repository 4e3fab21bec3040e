"""Copy a checkpoint"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.copy_weights_request import CopyWeightsRequest
    from ...models.copy_weights_response import CopyWeightsResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: CopyWeightsRequest,
    x_tinker_weights_access_token: str | Unset = UNSET,
    x_idempotency_key: str | Unset = UNSET,
) -> Request[CopyWeightsResponse]:
    """Copy a checkpoint

    Copies a checkpoint to a new training run of yours. The checkpoint is your own, a published one, or one that
    `X-Tinker-Weights-Access-Token` grants access to. A request with the same `X-Idempotency-Key` gets the original
    response.

    Args:
        x_tinker_weights_access_token (str | Unset):
        x_idempotency_key (str | Unset):
        body (CopyWeightsRequest): A checkpoint to copy.
    """

    headers: dict[str, str] = {}
    if not isinstance(x_tinker_weights_access_token, Unset):
        headers["X-Tinker-Weights-Access-Token"] = x_tinker_weights_access_token

    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="copy_weights",
        method="POST",
        path="/api/v1/copy_weights",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> CopyWeightsResponse:
    from ...models.copy_weights_response import CopyWeightsResponse

    return CopyWeightsResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> CopyWeightsResponse | ErrorResponse | ValidationErrorResponse | None:
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
        425,
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
    body: CopyWeightsRequest,
    x_tinker_weights_access_token: str | Unset = UNSET,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CopyWeightsResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Copy a checkpoint: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
        x_idempotency_key=x_idempotency_key,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CopyWeightsRequest,
    x_tinker_weights_access_token: str | Unset = UNSET,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CopyWeightsResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Copy a checkpoint: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
        x_idempotency_key=x_idempotency_key,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
