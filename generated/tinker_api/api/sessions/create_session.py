"""Open a session"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Response, Unset, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.create_session_request import CreateSessionRequest
    from ...models.create_session_response import CreateSessionResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: CreateSessionRequest,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/create_session",
    }
    _headers: dict[str, str] = {}
    if not isinstance(x_idempotency_key, Unset):
        _headers["X-Idempotency-Key"] = x_idempotency_key

    _kwargs["content"] = dumps(body.to_dict())

    _headers["Content-Type"] = "application/json"
    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(
    response: httpx.Response,
) -> CreateSessionResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.create_session_response import CreateSessionResponse

        return CreateSessionResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 402, 403, 405, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateSessionRequest,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSessionResponse | ErrorResponse | ValidationErrorResponse]:
    """Open a session

    Models and samplers belong to a session. A session lives while heartbeats arrive, until it is finished. The same
    `X-Idempotency-Key` gets the same session.

    Args:
        x_idempotency_key (str | Unset):
        body (CreateSessionRequest): A client introduces itself.
    """

    kwargs = _get_kwargs(
        body=body,
        x_idempotency_key=x_idempotency_key,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: CreateSessionRequest,
    x_idempotency_key: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[CreateSessionResponse | ErrorResponse | ValidationErrorResponse]:
    """Open a session

    Models and samplers belong to a session. A session lives while heartbeats arrive, until it is finished. The same
    `X-Idempotency-Key` gets the same session.

    Args:
        x_idempotency_key (str | Unset):
        body (CreateSessionRequest): A client introduces itself.
    """

    kwargs = _get_kwargs(
        body=body,
        x_idempotency_key=x_idempotency_key,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
