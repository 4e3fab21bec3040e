"""Copy a checkpoint"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Response, Unset, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.copy_weights_request import CopyWeightsRequest
    from ...models.copy_weights_response import CopyWeightsResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: CopyWeightsRequest,
    x_tinker_weights_access_token: str | Unset = UNSET,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/copy_weights",
    }
    _headers: dict[str, str] = {}
    if not isinstance(x_tinker_weights_access_token, Unset):
        _headers["X-Tinker-Weights-Access-Token"] = x_tinker_weights_access_token

    if not isinstance(x_idempotency_key, Unset):
        _headers["X-Idempotency-Key"] = x_idempotency_key

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
) -> CopyWeightsResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.copy_weights_response import CopyWeightsResponse

        return CopyWeightsResponse.from_dict(loads(response.content))

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
    body: CopyWeightsRequest,
    x_tinker_weights_access_token: str | Unset = UNSET,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CopyWeightsResponse | ErrorResponse | ValidationErrorResponse]:
    """Copy a checkpoint

    Copies a checkpoint, one's own, a published one or one that `X-Tinker-Weights-Access-Token` opens, to a new training
    run
    of one's own. The same `X-Idempotency-Key` gets the original answer.

    Args:
        x_tinker_weights_access_token (str | Unset):
        x_idempotency_key (str | Unset):
        body (CopyWeightsRequest): A checkpoint to copy.
    """

    kwargs = _get_kwargs(
        body=body,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
        x_idempotency_key=x_idempotency_key,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CopyWeightsRequest,
    x_tinker_weights_access_token: str | Unset = UNSET,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CopyWeightsResponse | ErrorResponse | ValidationErrorResponse]:
    """Copy a checkpoint

    Copies a checkpoint, one's own, a published one or one that `X-Tinker-Weights-Access-Token` opens, to a new training
    run
    of one's own. The same `X-Idempotency-Key` gets the original answer.

    Args:
        x_tinker_weights_access_token (str | Unset):
        x_idempotency_key (str | Unset):
        body (CopyWeightsRequest): A checkpoint to copy.
    """

    kwargs = _get_kwargs(
        body=body,
        x_tinker_weights_access_token=x_tinker_weights_access_token,
        x_idempotency_key=x_idempotency_key,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
