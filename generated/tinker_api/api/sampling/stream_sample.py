"""Sample token by token"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.sample_request import SampleRequest
    from ...models.server_sent_event import ServerSentEvent
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: SampleRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/stream_sample",
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
) -> ErrorResponse | ServerSentEvent | ValidationErrorResponse | None:
    if response.is_success:
        return None  # a stream: its events are in `raw`

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
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | ServerSentEvent | ValidationErrorResponse]:
    """Sample token by token

    The request of `asample`; the answer is a stream of server-sent events. Each event's data is a `StreamSampleEvent`;
    one with a
    `finish_reason` ends its sample, one with an `error` ends the stream. Not every server offers it (404): sample as a
    whole there.

    Args:
        body (SampleRequest): A prompt to complete.
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
    body: SampleRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | ServerSentEvent | ValidationErrorResponse]:
    """Sample token by token

    The request of `asample`; the answer is a stream of server-sent events. Each event's data is a `StreamSampleEvent`;
    one with a
    `finish_reason` ends its sample, one with an `error` ends the stream. Not every server offers it (404): sample as a
    whole there.

    Args:
        body (SampleRequest): A prompt to complete.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)


async def asyncio_streamed(
    *,
    client: AuthenticatedClient,
    body: SampleRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | ServerSentEvent | ValidationErrorResponse]:
    """As `asyncio_detailed`, but the body of a 2xx is still to come: read `raw.aiter_bytes()`, then `raw.aclose()`."""

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    http = client.get_async_httpx_client()
    raw = await http.send(http.build_request(**kwargs), stream=True)
    if not raw.is_success:
        await raw.aread()
    return Response(raw, _parse_response)
