"""Describe a checkpoint by its tinker path"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse
    from ...models.weights_info_request import WeightsInfoRequest
    from ...models.weights_info_response import WeightsInfoResponse


def request(
    *,
    body: WeightsInfoRequest,
) -> Request[WeightsInfoResponse]:
    """Describe a checkpoint by its tinker path

    Returns what a client needs to create a training run from a checkpoint. Also works for published checkpoints of
    other users.

    Args:
        body (WeightsInfoRequest): The checkpoint to describe.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="weights_info",
        method="POST",
        path="/api/v1/weights_info",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> WeightsInfoResponse:
    from ...models.weights_info_response import WeightsInfoResponse

    return WeightsInfoResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> WeightsInfoResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 413, 415, 425, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: WeightsInfoRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[WeightsInfoResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a checkpoint by its tinker path: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: WeightsInfoRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[WeightsInfoResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a checkpoint by its tinker path: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
