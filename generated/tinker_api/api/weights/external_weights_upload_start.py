"""Start the upload of an adapter"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.external_weights_upload_start_request import ExternalWeightsUploadStartRequest
    from ...models.external_weights_upload_start_response import ExternalWeightsUploadStartResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: ExternalWeightsUploadStartRequest,
) -> Request[ExternalWeightsUploadStartResponse]:
    """Start the upload of an adapter

    Uploads LoRA weights that were made elsewhere: start, one HTTP PUT of each file to its URL, then finish. The files
    must
    have the format that `save_weights_external` exports for the same base model and the same adapter. The server
    chooses the
    names of the files. SDK 0.39 and later; experimental, and not offered by every server (403 or 404).

    Args:
        body (ExternalWeightsUploadStartRequest): An adapter to upload.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="external_weights_upload_start",
        method="POST",
        path="/api/v1/external_weights_upload_start",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> ExternalWeightsUploadStartResponse:
    from ...models.external_weights_upload_start_response import ExternalWeightsUploadStartResponse

    return ExternalWeightsUploadStartResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> ExternalWeightsUploadStartResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ExternalWeightsUploadStartRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ExternalWeightsUploadStartResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Start the upload of an adapter: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ExternalWeightsUploadStartRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ExternalWeightsUploadStartResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Start the upload of an adapter: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
