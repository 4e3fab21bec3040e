"""Describe a training run"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.get_training_run_access_scope import (
        GetTrainingRunAccessScope,
    )
    from ...models.training_run import TrainingRun
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    training_run_id: str,
    access_scope: GetTrainingRunAccessScope | Unset = "owned",
) -> Request[TrainingRun]:
    """Describe a training run

    Returns a training run and its last checkpoints.

    Args:
        training_run_id (str):
        access_scope (GetTrainingRunAccessScope | Unset):  Default: 'owned'.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    query: dict[str, Any] = {}
    json_access_scope: str | Unset = UNSET
    if not isinstance(access_scope, Unset):
        json_access_scope = access_scope

    query["access_scope"] = json_access_scope
    query = {k: v for k, v in query.items() if v is not UNSET and v is not None}

    return Request(
        operation="get_training_run",
        method="GET",
        path="/api/v1/training_runs/{training_run_id}".format(
            training_run_id=quote(training_run_id, safe=""),
        ),
        parse=_parse,
        query=query,
        headers=headers,
    )


def _parse(content: bytes) -> TrainingRun:
    from ...models.training_run import TrainingRun

    return TrainingRun.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> TrainingRun | ErrorResponse | ValidationErrorResponse | None:
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
    access_scope: GetTrainingRunAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[TrainingRun | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a training run: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        training_run_id=training_run_id,
        access_scope=access_scope,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    training_run_id: str,
    *,
    client: AuthenticatedClient,
    access_scope: GetTrainingRunAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[TrainingRun | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a training run: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        training_run_id=training_run_id,
        access_scope=access_scope,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
