"""Complete a text"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.completion import Completion
    from ...models.completion_request import CompletionRequest
    from ...models.open_ai_error_response import OpenAIErrorResponse


def _get_kwargs(
    *,
    body: CompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/oai/api/v1/completions",
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


def _parse_response(response: httpx.Response) -> Completion | OpenAIErrorResponse | None:
    if response.is_success:
        from ...models.completion import Completion

        return Completion.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 413, 415, 429, 500, 503]:
        from ...models.open_ai_error_response import OpenAIErrorResponse

        return OpenAIErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Completion | OpenAIErrorResponse]:
    """Complete a text

    OpenAI's older Completions. `prompt` is text, token ids, or a list of either; the choices of the first prompt come
    first.
    With `echo` the response begins with the prompt, and `logprobs` cover it. With `stream` the response is a stream of
    server-sent events, each a `Completion`, and `[DONE]` at the end.

    Args:
        body (CompletionRequest): A text to complete. Every member beyond these is refused, unless it has no effect on
            the result.
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
    body: CompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Completion | OpenAIErrorResponse]:
    """Complete a text

    OpenAI's older Completions. `prompt` is text, token ids, or a list of either; the choices of the first prompt come
    first.
    With `echo` the response begins with the prompt, and `logprobs` cover it. With `stream` the response is a stream of
    server-sent events, each a `Completion`, and `[DONE]` at the end.

    Args:
        body (CompletionRequest): A text to complete. Every member beyond these is refused, unless it has no effect on
            the result.
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
    body: CompletionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[Completion | OpenAIErrorResponse]:
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
