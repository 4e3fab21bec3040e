"""Join a shared sampler"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.join_sampling_session_request import JoinSamplingSessionRequest
    from ...models.join_sampling_session_response import JoinSamplingSessionResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: JoinSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/join_sampling_session",
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
) -> ErrorResponse | JoinSamplingSessionResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.join_sampling_session_response import JoinSamplingSessionResponse

        return JoinSamplingSessionResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 402, 403, 404, 405, 410, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: JoinSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | JoinSamplingSessionResponse | ValidationErrorResponse]:
    """Join a shared sampler

    A process that samples from a sampler another process made takes a number here; number × 10⁹ is its first sample
    `seq_id`, so that the processes never use the same. Offered by servers whose client config says
    `sample_join_sampling_session`.

    Args:
        body (JoinSamplingSessionRequest): Which sampler to join.
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
    body: JoinSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | JoinSamplingSessionResponse | ValidationErrorResponse]:
    """Join a shared sampler

    A process that samples from a sampler another process made takes a number here; number × 10⁹ is its first sample
    `seq_id`, so that the processes never use the same. Offered by servers whose client config says
    `sample_join_sampling_session`.

    Args:
        body (JoinSamplingSessionRequest): Which sampler to join.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
