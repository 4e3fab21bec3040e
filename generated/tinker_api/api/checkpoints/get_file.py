"""A file behind a signed URL"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...types import File, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient, Client
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    token: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/files/{token}".format(
            token=quote(str(token), safe=""),
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
) -> ErrorResponse | File | ValidationErrorResponse | None:
    if response.is_success:
        return File(payload=response.content)

    if response.status_code in [206]:
        return File(payload=response.content)

    if response.status_code in [403, 404, 405, 410, 416, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    token: str,
    *,
    client: AuthenticatedClient | Client,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | File | ValidationErrorResponse]:
    """A file behind a signed URL

    Where the signed URLs of the embedded server lead: archives, files of checkpoints, traces. Other servers keep theirs
    elsewhere; take such a URL as it is. Takes byte ranges.

    Args:
        token (str):
    """

    kwargs = _get_kwargs(
        token=token,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    token: str,
    *,
    client: AuthenticatedClient | Client,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ErrorResponse | File | ValidationErrorResponse]:
    """A file behind a signed URL

    Where the signed URLs of the embedded server lead: archives, files of checkpoints, traces. Other servers keep theirs
    elsewhere; take such a URL as it is. Takes byte ranges.

    Args:
        token (str):
    """

    kwargs = _get_kwargs(
        token=token,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
