"""All the user's checkpoints"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.checkpoints_list_response import CheckpointsListResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/checkpoints",
    }
    params: dict[str, Any] = {}
    params["limit"] = limit
    params["offset"] = offset
    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs["params"] = params
    _headers: dict[str, str] = {}

    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(
    response: httpx.Response,
) -> CheckpointsListResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.checkpoints_list_response import CheckpointsListResponse

        return CheckpointsListResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointsListResponse | ErrorResponse | ValidationErrorResponse]:
    """All the user's checkpoints

    Newest first.

    Args:
        limit (int | Unset):  Default: 100.
        offset (int | Unset):  Default: 0.
    """

    kwargs = _get_kwargs(
        limit=limit,
        offset=offset,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    offset: int | Unset = 0,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointsListResponse | ErrorResponse | ValidationErrorResponse]:
    """All the user's checkpoints

    Newest first.

    Args:
        limit (int | Unset):  Default: 100.
        offset (int | Unset):  Default: 0.
    """

    kwargs = _get_kwargs(
        limit=limit,
        offset=offset,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
