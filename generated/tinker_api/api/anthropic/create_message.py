"""Complete a conversation"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.anthropic_error_response import AnthropicErrorResponse
    from ...models.message import Message
    from ...models.message_request import MessageRequest


def request(
    *,
    body: MessageRequest,
) -> Request[Message]:
    """Complete a conversation

    Anthropic's Messages. The model's own chat template renders `system`, `messages` and `tools`; a model without one is
    rejected (400).
    Reasoning is a `thinking` block, a tool call a `tool_use` block. `cache_control`, `metadata` and
    `thinking.budget_tokens` are
    accepted and have no effect. With `stream` the response is Anthropic's stream of server-sent events.

    Args:
        body (MessageRequest): A conversation to complete. Any other field is rejected, unless it has no effect on the
            result. A `thread` is rejected with the `error_code` `thread_unsupported_request`; the tool runner of
            Anthropic's client then sends whole conversations.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="create_message",
        method="POST",
        path="/anthropic/api/v1/messages",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> Message:
    from ...models.message import Message

    return Message.from_dict(loads(content))


def _parse_response(response: httpx.Response) -> Message | AnthropicErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.anthropic_error_response import AnthropicErrorResponse

        return AnthropicErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: MessageRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Message | AnthropicErrorResponse | None]:
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
    body: MessageRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Message | AnthropicErrorResponse | None]:
    """Complete a conversation: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
