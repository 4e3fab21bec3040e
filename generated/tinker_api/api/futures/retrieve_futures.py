"""Which samples are done"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.futures_retrieve_request import FuturesRetrieveRequest
    from ...models.futures_retrieve_response import FuturesRetrieveResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: FuturesRetrieveRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/retrieve_futures",
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
) -> ErrorResponse | FuturesRetrieveResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.futures_retrieve_response import FuturesRetrieveResponse

        return FuturesRetrieveResponse.from_dict(loads(response.content))

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
    body: FuturesRetrieveRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | FuturesRetrieveResponse | ValidationErrorResponse]:
    """Which samples are done

    The completions feed of a sampler: one long poll for all its samples, about 30 seconds at the most. Events up to
    `prev_cursor` may be forgotten by the
    server, and so may the results of `retrieved_request_ids`. The results themselves come from `retrieve_future`.
    Offered by servers whose
    client config says `sample_use_retrieve_futures`.

    Args:
        body (FuturesRetrieveRequest): Whose completions, since when.
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
    body: FuturesRetrieveRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | FuturesRetrieveResponse | ValidationErrorResponse]:
    """Which samples are done

    The completions feed of a sampler: one long poll for all its samples, about 30 seconds at the most. Events up to
    `prev_cursor` may be forgotten by the
    server, and so may the results of `retrieved_request_ids`. The results themselves come from `retrieve_future`.
    Offered by servers whose
    client config says `sample_use_retrieve_futures`.

    Args:
        body (FuturesRetrieveRequest): Whose completions, since when.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
