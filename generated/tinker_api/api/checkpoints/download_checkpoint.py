"""Download the archive of a checkpoint"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import File, Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.checkpoint_kind import CheckpointKind
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    training_run_id: str,
    kind: CheckpointKind,
    name: str,
) -> Request[File]:
    """Download the archive of a checkpoint

    Returns a tar file with the files of the checkpoint at its top level. Supports byte ranges.

    Args:
        training_run_id (str):
        kind (CheckpointKind): Purpose of a checkpoint, as it is written in tinker paths: training, sampling, or use
            elsewhere.
        name (str):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/x-tar"
    return Request(
        operation="download_checkpoint",
        method="GET",
        path="/api/v1/training_runs/{training_run_id}/checkpoints/{kind}/{name}/download".format(
            training_run_id=quote(training_run_id, safe=""),
            kind=quote(kind, safe=""),
            name=quote(name, safe=""),
        ),
        parse=_parse,
        headers=headers,
    )


def _parse(content: bytes) -> File:
    return File(payload=content)


def _parse_response(
    response: httpx.Response,
) -> File | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 416, 425, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    training_run_id: str,
    kind: CheckpointKind,
    name: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[File | ErrorResponse | ValidationErrorResponse | None]:
    """Download the archive of a checkpoint: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        training_run_id=training_run_id,
        kind=kind,
        name=name,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    training_run_id: str,
    kind: CheckpointKind,
    name: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[File | ErrorResponse | ValidationErrorResponse | None]:
    """Download the archive of a checkpoint: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        training_run_id=training_run_id,
        kind=kind,
        name=name,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
