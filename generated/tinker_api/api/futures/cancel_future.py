"""Cancel a sample"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.cancel_future_request import CancelFutureRequest
    from ...models.cancel_future_response import CancelFutureResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: CancelFutureRequest,
) -> Request[CancelFutureResponse]:
    """Cancel a sample

    The server may drop the work. A sample that is already finished is not affected. Only samples can be cancelled.

    Args:
        body (CancelFutureRequest): The sample to cancel.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="cancel_future",
        method="POST",
        path="/api/v1/cancel_future",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> CancelFutureResponse:
    from ...models.cancel_future_response import CancelFutureResponse

    return CancelFutureResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> CancelFutureResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CancelFutureRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CancelFutureResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Cancel a sample: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CancelFutureRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CancelFutureResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Cancel a sample: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
