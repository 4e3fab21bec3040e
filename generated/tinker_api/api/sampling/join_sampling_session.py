"""Join a shared sampler"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.error_response import ErrorResponse
    from ...models.join_sampling_session_request import JoinSamplingSessionRequest
    from ...models.join_sampling_session_response import JoinSamplingSessionResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: JoinSamplingSessionRequest,
) -> Request[JoinSamplingSessionResponse]:
    """Join a shared sampler

    Gives a number to a process that samples from a sampler which another process created. The first sample of the
    process
    has the `seq_id` number × 10⁹, so that no two processes use the same. Offered by servers whose client config has
    `sample_join_sampling_session`.

    Args:
        body (JoinSamplingSessionRequest): The sampler to join.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="join_sampling_session",
        method="POST",
        path="/api/v1/join_sampling_session",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> JoinSamplingSessionResponse:
    from ...models.join_sampling_session_response import JoinSamplingSessionResponse

    return JoinSamplingSessionResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> JoinSamplingSessionResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 408, 410, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: JoinSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[JoinSamplingSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Join a shared sampler: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: JoinSamplingSessionRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[JoinSamplingSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Join a shared sampler: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
