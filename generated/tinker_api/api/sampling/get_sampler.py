"""Describe a sampler"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.get_sampler_response import GetSamplerResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    sampler_id: str,
) -> Request[GetSamplerResponse]:
    """Describe a sampler

    Returns the base model of a sampler and, if it samples from one, the checkpoint.

    Args:
        sampler_id (str):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="get_sampler",
        method="GET",
        path="/api/v1/samplers/{sampler_id}".format(
            sampler_id=quote(sampler_id, safe=""),
        ),
        parse=_parse,
        headers=headers,
    )


def _parse(content: bytes) -> GetSamplerResponse:
    from ...models.get_sampler_response import GetSamplerResponse

    return GetSamplerResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> GetSamplerResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [401, 403, 404, 405, 408, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    sampler_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetSamplerResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a sampler: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        sampler_id=sampler_id,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    sampler_id: str,
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[GetSamplerResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Describe a sampler: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        sampler_id=sampler_id,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
