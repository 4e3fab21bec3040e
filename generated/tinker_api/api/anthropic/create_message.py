"""Complete a conversation"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.anthropic_error_response import AnthropicErrorResponse
    from ...models.message import Message
    from ...models.message_request import MessageRequest


def _get_kwargs(
    *,
    body: MessageRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/anthropic/api/v1/messages",
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


def _parse_response(response: httpx.Response) -> AnthropicErrorResponse | Message | None:
    if response.is_success:
        from ...models.message import Message

        return Message.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 413, 415, 429, 500, 503]:
        from ...models.anthropic_error_response import AnthropicErrorResponse

        return AnthropicErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: MessageRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AnthropicErrorResponse | Message]:
    """Complete a conversation

    Anthropic's Messages. The model's own chat template renders `system`, `messages` and `tools`; a model without one is
    refused (400).
    Reasoning is a `thinking` block, a tool call a `tool_use` block. `cache_control`, `metadata` and
    `thinking.budget_tokens` are
    accepted and have no effect. With `stream` the response is Anthropic's stream of server-sent events.

    Args:
        body (MessageRequest): A conversation to complete. Every member beyond these is refused, unless it has no
            effect on the result.
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
    body: MessageRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AnthropicErrorResponse | Message]:
    """Complete a conversation

    Anthropic's Messages. The model's own chat template renders `system`, `messages` and `tools`; a model without one is
    refused (400).
    Reasoning is a `thinking` block, a tool call a `tool_use` block. `cache_control`, `metadata` and
    `thinking.budget_tokens` are
    accepted and have no effect. With `stream` the response is Anthropic's stream of server-sent events.

    Args:
        body (MessageRequest): A conversation to complete. Every member beyond these is refused, unless it has no
            effect on the result.
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
    body: MessageRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AnthropicErrorResponse | Message]:
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
