"""Bind a sampler to a base model or a checkpoint"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.create_sampling_session_request import CreateSamplingSessionRequest
    from ...models.create_sampling_session_response import CreateSamplingSessionResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: CreateSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/create_sampling_session",
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
) -> CreateSamplingSessionResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.create_sampling_session_response import CreateSamplingSessionResponse

        return CreateSamplingSessionResponse.from_dict(loads(response.content))

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
    body: CreateSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSamplingSessionResponse | ErrorResponse | ValidationErrorResponse]:
    """Bind a sampler to a base model or a checkpoint

    Give `base_model`, `model_path`, or both. Both mean the checkpoint at that base model's context length
    (`org/name:peft:<context>`):
    the base model must be the one that the checkpoint was trained on, or a variant of it. Returns directly, without a
    future; a
    repeated (`session_id`, `sampling_session_seq_id`) gets the original response.

    Args:
        body (CreateSamplingSessionRequest): A sampler to create.
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
    body: CreateSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSamplingSessionResponse | ErrorResponse | ValidationErrorResponse]:
    """Bind a sampler to a base model or a checkpoint

    Give `base_model`, `model_path`, or both. Both mean the checkpoint at that base model's context length
    (`org/name:peft:<context>`):
    the base model must be the one that the checkpoint was trained on, or a variant of it. Returns directly, without a
    future; a
    repeated (`session_id`, `sampling_session_seq_id`) gets the original response.

    Args:
        body (CreateSamplingSessionRequest): A sampler to create.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
