"""Get the storage that checkpoints take now"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.current_checkpoint_storage_usage_response import (
        CurrentCheckpointStorageUsageResponse,
    )
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    project_id: str | Unset = UNSET,
) -> Request[CurrentCheckpointStorageUsageResponse]:
    """Get the storage that checkpoints take now

    Returns the storage by project and user.

    Args:
        project_id (str | Unset):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    query: dict[str, Any] = {}
    query["project_id"] = project_id
    query = {k: v for k, v in query.items() if v is not UNSET and v is not None}

    return Request(
        operation="get_checkpoint_storage",
        method="GET",
        path="/api/v1/billing/usage/checkpoints/current",
        parse=_parse,
        query=query,
        headers=headers,
    )


def _parse(content: bytes) -> CurrentCheckpointStorageUsageResponse:
    from ...models.current_checkpoint_storage_usage_response import (
        CurrentCheckpointStorageUsageResponse,
    )

    return CurrentCheckpointStorageUsageResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> CurrentCheckpointStorageUsageResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    project_id: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[
    CurrentCheckpointStorageUsageResponse | ErrorResponse | ValidationErrorResponse | None
]:
    """Get the storage that checkpoints take now: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        project_id=project_id,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    project_id: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[
    CurrentCheckpointStorageUsageResponse | ErrorResponse | ValidationErrorResponse | None
]:
    """Get the storage that checkpoints take now: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        project_id=project_id,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
