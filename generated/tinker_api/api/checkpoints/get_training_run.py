"""A training run"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import UNSET, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.get_training_run_access_scope import (
        GetTrainingRunAccessScope,
    )
    from ...models.training_run import TrainingRun
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    training_run_id: str,
    *,
    access_scope: GetTrainingRunAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/training_runs/{training_run_id}".format(
            training_run_id=quote(str(training_run_id), safe=""),
        ),
    }
    params: dict[str, Any] = {}
    json_access_scope: str | Unset = UNSET
    if not isinstance(access_scope, Unset):
        json_access_scope = access_scope

    params["access_scope"] = json_access_scope
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
) -> ErrorResponse | TrainingRun | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.training_run import TrainingRun

        return TrainingRun.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    training_run_id: str,
    *,
    client: AuthenticatedClient,
    access_scope: GetTrainingRunAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | TrainingRun | ValidationErrorResponse]:
    """A training run

    Facts about a training run and its last checkpoints.

    Args:
        training_run_id (str):
        access_scope (GetTrainingRunAccessScope | Unset):  Default: 'owned'.
    """

    kwargs = _get_kwargs(
        training_run_id=training_run_id,
        access_scope=access_scope,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    training_run_id: str,
    *,
    client: AuthenticatedClient,
    access_scope: GetTrainingRunAccessScope | Unset = "owned",
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | TrainingRun | ValidationErrorResponse]:
    """A training run

    Facts about a training run and its last checkpoints.

    Args:
        training_run_id (str):
        access_scope (GetTrainingRunAccessScope | Unset):  Default: 'owned'.
    """

    kwargs = _get_kwargs(
        training_run_id=training_run_id,
        access_scope=access_scope,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
