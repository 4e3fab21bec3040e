"""Complete a text"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.completion import Completion
    from ...models.completion_request import CompletionRequest
    from ...models.open_ai_error_response import OpenAIErrorResponse


def request(
    *,
    body: CompletionRequest,
) -> Request[Completion]:
    """Complete a text

    OpenAI's older Completions. `prompt` is text, token ids, or a list of either; the choices of the first prompt come
    first.
    With `echo` the response begins with the prompt, and `logprobs` cover it. With `stream` the response is a stream of
    server-sent events, each a `Completion`, and `[DONE]` at the end.

    Args:
        body (CompletionRequest): A text to complete. Any other field is rejected, unless it has no effect on the
            result.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="create_completion",
        method="POST",
        path="/oai/api/v1/completions",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> Completion:
    from ...models.completion import Completion

    return Completion.from_dict(loads(content))


def _parse_response(response: httpx.Response) -> Completion | OpenAIErrorResponse | None:
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
    body: CompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Completion | OpenAIErrorResponse | None]:
    """Complete a text: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Completion | OpenAIErrorResponse | None]:
    """Complete a text: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
