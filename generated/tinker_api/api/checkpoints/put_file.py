"""Upload a file by its signed URL"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import File, Request, Response, loads, nothing

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient, Client
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    token: str,
    body: File,
) -> Request[None]:
    """Upload a file by its signed URL

    The URLs that the embedded server returns from `external_weights_upload_start` lead here. Other servers have other
    URLs;
    use such a URL as it is, and send the headers that come with it. A file that is uploaded again replaces the earlier
    one.

    Args:
        token (str):
        body (File): Bytes of a file.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/octet-stream"
    return Request(
        operation="put_file",
        method="PUT",
        path="/api/v1/files/{token}".format(
            token=quote(token, safe=""),
        ),
        parse=nothing,
        body=body,
        headers=headers,
    )


def _parse_response(response: httpx.Response) -> None | ErrorResponse | ValidationErrorResponse:
    if response.is_success:
        return None
    content = response.content
    if response.status_code in [403, 404, 405, 408, 409, 410, 413, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    token: str,
    *,
    client: AuthenticatedClient | Client,
    body: File,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[None | ErrorResponse | ValidationErrorResponse]:
    """Upload a file by its signed URL: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        token=token,
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    token: str,
    *,
    client: AuthenticatedClient | Client,
    body: File,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[None | ErrorResponse | ValidationErrorResponse]:
    """Upload a file by its signed URL: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        token=token,
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
