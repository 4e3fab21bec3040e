"""Wait for finished samples of a sampler"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.futures_retrieve_request import FuturesRetrieveRequest
    from ...models.futures_retrieve_response import FuturesRetrieveResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: FuturesRetrieveRequest,
) -> Request[FuturesRetrieveResponse]:
    """Wait for finished samples of a sampler

    The completions feed of a sampler: one long poll, of up to about 30 seconds, for all its samples. The server may
    forget
    events up to `prev_cursor` and the results of `retrieved_request_ids`. The results themselves come from
    `retrieve_future`. Offered by servers whose client config has `sample_use_retrieve_futures`.

    Args:
        body (FuturesRetrieveRequest): The completions to wait for.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="retrieve_futures",
        method="POST",
        path="/api/v1/retrieve_futures",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> FuturesRetrieveResponse:
    from ...models.futures_retrieve_response import FuturesRetrieveResponse

    return FuturesRetrieveResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> FuturesRetrieveResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 408, 410, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: FuturesRetrieveRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[FuturesRetrieveResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Wait for finished samples of a sampler: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: FuturesRetrieveRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[FuturesRetrieveResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Wait for finished samples of a sampler: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
