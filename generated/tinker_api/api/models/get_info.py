"""Describe a training run by its model id"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.get_info_request import GetInfoRequest
    from ...models.get_info_response import GetInfoResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: GetInfoRequest,
) -> Request[GetInfoResponse]:
    """Describe a training run by its model id

    Clients call it after they create a model; `model_data` names the tokenizer of the model. By `next_seq_id`, a
    client that has not created the run can go on with it.

    Args:
        body (GetInfoRequest): The model to describe.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="get_info",
        method="POST",
        path="/api/v1/get_info",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> GetInfoResponse:
    from ...models.get_info_response import GetInfoResponse

    return GetInfoResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> GetInfoResponse | ErrorResponse | ValidationErrorResponse | None:
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
    body: GetInfoRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetInfoResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a training run by its model id: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: GetInfoRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetInfoResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a training run by its model id: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
