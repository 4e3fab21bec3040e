"""Open a session"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import UNSET, Request, Response, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.create_session_request import CreateSessionRequest
    from ...models.create_session_response import CreateSessionResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: CreateSessionRequest,
    x_idempotency_key: str | Unset = UNSET,
) -> Request[CreateSessionResponse]:
    """Open a session

    Models and samplers belong to a session. A session stays alive while heartbeats arrive, until it is finished. A
    request
    with the same `X-Idempotency-Key` gets the same session.

    Args:
        x_idempotency_key (str | Unset):
        body (CreateSessionRequest): A session to open.
    """

    headers: dict[str, str] = {}
    if not isinstance(x_idempotency_key, Unset):
        headers["X-Idempotency-Key"] = x_idempotency_key

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="create_session",
        method="POST",
        path="/api/v1/create_session",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> CreateSessionResponse:
    from ...models.create_session_response import CreateSessionResponse

    return CreateSessionResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> CreateSessionResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 405, 408, 409, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateSessionRequest,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Open a session: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateSessionRequest,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSessionResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Open a session: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
        x_idempotency_key=x_idempotency_key,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
