"""Download a file by its signed URL"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import File, Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient, Client
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    token: str,
) -> Request[File]:
    """Download a file by its signed URL

    The signed URLs of the embedded server lead here: archives, files of checkpoints, traces. Other servers have other
    URLs; use such a URL as it is. Supports byte ranges.

    Args:
        token (str):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/octet-stream"
    return Request(
        operation="get_file",
        method="GET",
        path="/api/v1/files/{token}".format(
            token=quote(token, safe=""),
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
    if response.status_code in [403, 404, 405, 408, 410, 416, 429, 500, 503]:
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
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[File | ErrorResponse | ValidationErrorResponse | None]:
    """Download a file by its signed URL: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        token=token,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    token: str,
    *,
    client: AuthenticatedClient | Client,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[File | ErrorResponse | ValidationErrorResponse | None]:
    """Download a file by its signed URL: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        token=token,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
