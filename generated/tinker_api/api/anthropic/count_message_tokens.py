"""Count the tokens of a conversation"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.anthropic_error_response import AnthropicErrorResponse
    from ...models.count_tokens_request import CountTokensRequest
    from ...models.message_token_count import MessageTokenCount


def request(
    *,
    body: CountTokensRequest,
) -> Request[MessageTokenCount]:
    """Count the tokens of a conversation

    Returns the number of tokens of the prompt that `create_message` would sample from.

    Args:
        body (CountTokensRequest): A conversation whose tokens to count.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="count_message_tokens",
        method="POST",
        path="/anthropic/api/v1/messages/count_tokens",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> MessageTokenCount:
    from ...models.message_token_count import MessageTokenCount

    return MessageTokenCount.from_dict(loads(content))


def _parse_response(response: httpx.Response) -> MessageTokenCount | AnthropicErrorResponse | None:
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
    body: CountTokensRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[MessageTokenCount | AnthropicErrorResponse | None]:
    """Count the tokens of a conversation: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CountTokensRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[MessageTokenCount | AnthropicErrorResponse | None]:
    """Count the tokens of a conversation: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
