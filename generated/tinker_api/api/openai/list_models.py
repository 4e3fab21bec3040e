"""List the models that requests can name"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.open_ai_error_response import OpenAIErrorResponse
    from ...models.open_ai_model_list import OpenAIModelList


def request() -> Request[OpenAIModelList]:
    """List the models that requests can name

    Lists your sampler checkpoints, newest first. The hosted service lists nothing else, so the list may be empty
    although it
    serves base models; the embedded server adds its base models, for tools that fill a menu from this list.

    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    return Request(
        operation="list_models",
        method="GET",
        path="/oai/api/v1/models",
        parse=_parse,
        headers=headers,
    )


def _parse(content: bytes) -> OpenAIModelList:
    from ...models.open_ai_model_list import OpenAIModelList

    return OpenAIModelList.from_dict(loads(content))


def _parse_response(response: httpx.Response) -> OpenAIModelList | OpenAIErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [401, 403, 404, 405, 408, 429, 500, 503]:
        from ...models.open_ai_error_response import OpenAIErrorResponse

        return OpenAIErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[OpenAIModelList | OpenAIErrorResponse | None]:
    """List the models that requests can name: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request()
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[OpenAIModelList | OpenAIErrorResponse | None]:
    """List the models that requests can name: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request()
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
