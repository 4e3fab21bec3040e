"""Delete a checkpoint"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.checkpoint_kind import CheckpointKind
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    training_run_id: str,
    kind: CheckpointKind,
    name: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "delete",
        "url": "/api/v1/training_runs/{training_run_id}/checkpoints/{kind}/{name}".format(
            training_run_id=quote(str(training_run_id), safe=""),
            kind=quote(str(kind), safe=""),
            name=quote(str(name), safe=""),
        ),
    }
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
) -> Any | ErrorResponse | ValidationErrorResponse | None:
    if response.status_code in [204]:
        return None

    if response.status_code in [400, 401, 403, 404, 405, 425, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    training_run_id: str,
    kind: CheckpointKind,
    name: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Any | ErrorResponse | ValidationErrorResponse]:
    """Delete a checkpoint

    Deletes its files. Clients ignore the body. 425 while it is being written.

    Args:
        training_run_id (str):
        kind (CheckpointKind): What a checkpoint is for: training, sampling, or use elsewhere.
        name (str):
    """

    kwargs = _get_kwargs(
        training_run_id=training_run_id,
        kind=kind,
        name=name,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    training_run_id: str,
    kind: CheckpointKind,
    name: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Any | ErrorResponse | ValidationErrorResponse]:
    """Delete a checkpoint

    Deletes its files. Clients ignore the body. 425 while it is being written.

    Args:
        training_run_id (str):
        kind (CheckpointKind): What a checkpoint is for: training, sampling, or use elsewhere.
        name (str):
    """

    kwargs = _get_kwargs(
        training_run_id=training_run_id,
        kind=kind,
        name=name,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
