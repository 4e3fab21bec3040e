"""Bind a sampler to a base model or a checkpoint"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.create_sampling_session_request import CreateSamplingSessionRequest
    from ...models.create_sampling_session_response import CreateSamplingSessionResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: CreateSamplingSessionRequest,
) -> Request[CreateSamplingSessionResponse]:
    """Bind a sampler to a base model or a checkpoint

    Give `base_model`, `model_path`, or both. Both together sample from the checkpoint at that base model's context
    length
    (`org/name:peft:<context>`): the base model must be the one that the checkpoint was trained on, or a variant of it.
    Returns directly, without a future; a
    repeated (`session_id`, `sampling_session_seq_id`) gets the original response.

    Args:
        body (CreateSamplingSessionRequest): A sampler to create.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="create_sampling_session",
        method="POST",
        path="/api/v1/create_sampling_session",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> CreateSamplingSessionResponse:
    from ...models.create_sampling_session_response import CreateSamplingSessionResponse

    return CreateSamplingSessionResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> CreateSamplingSessionResponse | ErrorResponse | ValidationErrorResponse | None:
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
    body: CreateSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSamplingSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Bind a sampler to a base model or a checkpoint: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSamplingSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Bind a sampler to a base model or a checkpoint: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
