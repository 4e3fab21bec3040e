"""List the checkpoints of a model"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.checkpoints_list_response import CheckpointsListResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    model_id: str,
) -> Request[CheckpointsListResponse]:
    """List the checkpoints of a model

    The older route of `list_checkpoints`; returns the same.

    Args:
        model_id (str):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="list_model_checkpoints",
        method="GET",
        path="/api/v1/models/{model_id}/checkpoints".format(
            model_id=quote(model_id, safe=""),
        ),
        parse=_parse,
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
    model_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointsListResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List the checkpoints of a model: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        model_id=model_id,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    model_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CheckpointsListResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List the checkpoints of a model: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        model_id=model_id,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
