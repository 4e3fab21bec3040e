"""Create a checkpoint from the uploaded files"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.external_weights_upload_finish_request import ExternalWeightsUploadFinishRequest
    from ...models.external_weights_upload_finish_response import (
        ExternalWeightsUploadFinishResponse,
    )
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: ExternalWeightsUploadFinishRequest,
) -> Request[ExternalWeightsUploadFinishResponse]:
    """Create a checkpoint from the uploaded files

    Checks the files and creates an `external_weights` checkpoint from them, which can be sampled from and trained
    further. A
    400 lists everything that is wrong; upload the files again and repeat the request. Once it has succeeded, a repeated
    request returns the same path.

    Args:
        body (ExternalWeightsUploadFinishRequest): An upload whose files are all uploaded.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="external_weights_upload_finish",
        method="POST",
        path="/api/v1/external_weights_upload_finish",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> ExternalWeightsUploadFinishResponse:
    from ...models.external_weights_upload_finish_response import (
        ExternalWeightsUploadFinishResponse,
    )

    return ExternalWeightsUploadFinishResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> ExternalWeightsUploadFinishResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 408, 410, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ExternalWeightsUploadFinishRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ExternalWeightsUploadFinishResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Create a checkpoint from the uploaded files: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ExternalWeightsUploadFinishRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ExternalWeightsUploadFinishResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Create a checkpoint from the uploaded files: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
