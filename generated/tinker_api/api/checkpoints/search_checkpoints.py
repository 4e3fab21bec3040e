"""Search checkpoints"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.checkpoint_search_request import CheckpointSearchRequest
    from ...models.checkpoint_search_response import CheckpointSearchResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: CheckpointSearchRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/checkpoints/search",
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
) -> CheckpointSearchResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.checkpoint_search_response import CheckpointSearchResponse

        return CheckpointSearchResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CheckpointSearchRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointSearchResponse | ErrorResponse | ValidationErrorResponse]:
    """Search checkpoints

    Returns the checkpoints that match every filter, newest first. `next_cursor` continues after the last checkpoint of
    the
    page, so that checkpoints saved in the meantime move nothing. SDK 0.39 and later; experimental.

    Args:
        body (CheckpointSearchRequest): Filters of a search. All of them must match.
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
    body: CheckpointSearchRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointSearchResponse | ErrorResponse | ValidationErrorResponse]:
    """Search checkpoints

    Returns the checkpoints that match every filter, newest first. `next_cursor` continues after the last checkpoint of
    the
    page, so that checkpoints saved in the meantime move nothing. SDK 0.39 and later; experimental.

    Args:
        body (CheckpointSearchRequest): Filters of a search. All of them must match.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
