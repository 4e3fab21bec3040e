"""List the checkpoints of a training run"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.checkpoints_list_response import CheckpointsListResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    training_run_id: str,
    limit: int | Unset = UNSET,
    offset: int | Unset = 0,
) -> Request[CheckpointsListResponse]:
    """List the checkpoints of a training run

    Returns all checkpoints, or one page if `limit` is given, newest first.

    Args:
        training_run_id (str):
        limit (int | Unset):
        offset (int | Unset):  Default: 0.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    query: dict[str, Any] = {}
    query["limit"] = limit
    query["offset"] = offset
    query = {k: v for k, v in query.items() if v is not UNSET and v is not None}

    return Request(
        operation="list_checkpoints",
        method="GET",
        path="/api/v1/training_runs/{training_run_id}/checkpoints".format(
            training_run_id=quote(training_run_id, safe=""),
        ),
        parse=_parse,
        query=query,
        headers=headers,
    )


def _parse(content: bytes) -> CheckpointsListResponse:
    from ...models.checkpoints_list_response import CheckpointsListResponse

    return CheckpointsListResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> CheckpointsListResponse | ErrorResponse | ValidationErrorResponse | None:
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
    training_run_id: str,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    offset: int | Unset = 0,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointsListResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List the checkpoints of a training run: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        training_run_id=training_run_id,
        limit=limit,
        offset=offset,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    training_run_id: str,
    *,
    client: AuthenticatedClient,
    limit: int | Unset = UNSET,
    offset: int | Unset = 0,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointsListResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List the checkpoints of a training run: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        training_run_id=training_run_id,
        limit=limit,
        offset=offset,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
