"""Search checkpoints"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.checkpoint_search_request import CheckpointSearchRequest
    from ...models.checkpoint_search_response import CheckpointSearchResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: CheckpointSearchRequest,
) -> Request[CheckpointSearchResponse]:
    """Search checkpoints

    Returns the checkpoints that match every filter, newest first. `next_cursor` continues after the last checkpoint of
    the
    page, so that checkpoints saved in the meantime do not shift the pages. SDK 0.39 and later; experimental.

    Args:
        body (CheckpointSearchRequest): Filters of a search for checkpoints. A checkpoint must match all of them.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="search_checkpoints",
        method="POST",
        path="/api/v1/checkpoints/search",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> CheckpointSearchResponse:
    from ...models.checkpoint_search_response import CheckpointSearchResponse

    return CheckpointSearchResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> CheckpointSearchResponse | ErrorResponse | ValidationErrorResponse | None:
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
    body: CheckpointSearchRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointSearchResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Search checkpoints: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CheckpointSearchRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointSearchResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Search checkpoints: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
