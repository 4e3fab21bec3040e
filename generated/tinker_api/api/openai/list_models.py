"""Models that can be named"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.open_ai_error_response import OpenAIErrorResponse
    from ...models.open_ai_model_list import OpenAIModelList


def _get_kwargs(
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/oai/api/v1/models",
    }
    _headers: dict[str, str] = {}

    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(response: httpx.Response) -> OpenAIErrorResponse | OpenAIModelList | None:
    if response.is_success:
        from ...models.open_ai_model_list import OpenAIModelList

        return OpenAIModelList.from_dict(loads(response.content))

    if response.status_code in [401, 403, 404, 405, 429, 500, 503]:
        from ...models.open_ai_error_response import OpenAIErrorResponse

        return OpenAIErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[OpenAIErrorResponse | OpenAIModelList]:
    """Models that can be named

    Lists your sampler checkpoints, newest first. The hosted service lists nothing else, so that the list may be empty
    while base
    models are served; the embedded server adds its base models, for tools that fill a menu from this list.

    """

    kwargs = _get_kwargs(
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[OpenAIErrorResponse | OpenAIModelList]:
    """Models that can be named

    Lists your sampler checkpoints, newest first. The hosted service lists nothing else, so that the list may be empty
    while base
    models are served; the embedded server adds its base models, for tools that fill a menu from this list.

    """

    kwargs = _get_kwargs(
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
