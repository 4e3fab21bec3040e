"""Complete a conversation"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.chat_completion import ChatCompletion
    from ...models.chat_completion_request import ChatCompletionRequest
    from ...models.open_ai_error_response import OpenAIErrorResponse


def _get_kwargs(
    *,
    body: ChatCompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/oai/api/v1/chat/completions",
    }
    _headers: dict[str, str] = {}

    _kwargs["content"] = dumps(body.to_dict())

    _headers["Content-Type"] = "application/json"
    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(response: httpx.Response) -> ChatCompletion | OpenAIErrorResponse | None:
    if response.is_success:
        from ...models.chat_completion import ChatCompletion

        return ChatCompletion.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 413, 415, 429, 500, 503]:
        from ...models.open_ai_error_response import OpenAIErrorResponse

        return OpenAIErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ChatCompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ChatCompletion | OpenAIErrorResponse]:
    """Complete a conversation

    OpenAI's Chat Completions. The model's own chat template renders `messages` and `tools`; a model without one is
    refused (400).
    Tool calls are parsed back where the template's family is known, else they stay in `content`. Reasoning goes to
    `reasoning_content`. With `stream` the response is a stream of server-sent events, each a `ChatCompletionChunk`, and
    `[DONE]` at the end. A parameter that changes the result and is not offered is refused (400), and the error names
    it;
    `user`, `metadata`, `store` and other parameters without an effect on the result are ignored.

    Args:
        body (ChatCompletionRequest): A conversation to complete. Every member beyond these is refused, unless it has
            no effect on the result.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ChatCompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ChatCompletion | OpenAIErrorResponse]:
    """Complete a conversation

    OpenAI's Chat Completions. The model's own chat template renders `messages` and `tools`; a model without one is
    refused (400).
    Tool calls are parsed back where the template's family is known, else they stay in `content`. Reasoning goes to
    `reasoning_content`. With `stream` the response is a stream of server-sent events, each a `ChatCompletionChunk`, and
    `[DONE]` at the end. A parameter that changes the result and is not offered is refused (400), and the error names
    it;
    `user`, `metadata`, `store` and other parameters without an effect on the result are ignored.

    Args:
        body (ChatCompletionRequest): A conversation to complete. Every member beyond these is refused, unless it has
            no effect on the result.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)


async def asyncio_streamed(
    *,
    client: AuthenticatedClient,
    body: ChatCompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ChatCompletion | OpenAIErrorResponse]:
    """As `asyncio_detailed`, but the body of a 2xx is still to come: read `raw.aiter_bytes()`, then `raw.aclose()`."""

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    http = client.get_async_httpx_client()
    raw = await http.send(http.build_request(**kwargs), stream=True)
    if not raw.is_success:
        await raw.aread()
    return Response(raw, _parse_response)
