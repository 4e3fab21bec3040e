"""Complete a conversation"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.chat_completion import ChatCompletion
    from ...models.chat_completion_request import ChatCompletionRequest
    from ...models.open_ai_error_response import OpenAIErrorResponse


def request(
    *,
    body: ChatCompletionRequest,
) -> Request[ChatCompletion]:
    """Complete a conversation

    OpenAI's Chat Completions. The model's own chat template renders `messages` and `tools`; a model without one is
    rejected (400).
    The server parses tool calls if it knows the template's family; otherwise they stay in `content`. Reasoning goes to
    `reasoning_content`. With `stream` the response is a stream of server-sent events, each a `ChatCompletionChunk`, and
    `[DONE]` at the end. A parameter that would change the result but is not supported is rejected (400), and the error
    names
    it; `user`, `metadata`, `store` and other parameters without an effect on the result are ignored.

    Args:
        body (ChatCompletionRequest): A conversation to complete. Any other field is rejected, unless it has no effect
            on the result.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="create_chat_completion",
        method="POST",
        path="/oai/api/v1/chat/completions",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> ChatCompletion:
    from ...models.chat_completion import ChatCompletion

    return ChatCompletion.from_dict(loads(content))


def _parse_response(response: httpx.Response) -> ChatCompletion | OpenAIErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.open_ai_error_response import OpenAIErrorResponse

        return OpenAIErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ChatCompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ChatCompletion | OpenAIErrorResponse | None]:
    """Complete a conversation: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ChatCompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ChatCompletion | OpenAIErrorResponse | None]:
    """Complete a conversation: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
