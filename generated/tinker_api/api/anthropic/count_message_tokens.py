"""Count the tokens of a conversation"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.anthropic_error_response import AnthropicErrorResponse
    from ...models.count_tokens_request import CountTokensRequest
    from ...models.message_token_count import MessageTokenCount


def _get_kwargs(
    *,
    body: CountTokensRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/anthropic/api/v1/messages/count_tokens",
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


def _parse_response(response: httpx.Response) -> AnthropicErrorResponse | MessageTokenCount | None:
    if response.is_success:
        from ...models.message_token_count import MessageTokenCount

        return MessageTokenCount.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 413, 415, 429, 500, 503]:
        from ...models.anthropic_error_response import AnthropicErrorResponse

        return AnthropicErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CountTokensRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AnthropicErrorResponse | MessageTokenCount]:
    """Count the tokens of a conversation

    Returns the length of the prompt that `create_message` would sample from.

    Args:
        body (CountTokensRequest): A conversation whose tokens to count.
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
    body: CountTokensRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AnthropicErrorResponse | MessageTokenCount]:
    """Count the tokens of a conversation

    Returns the length of the prompt that `create_message` would sample from.

    Args:
        body (CountTokensRequest): A conversation whose tokens to count.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
