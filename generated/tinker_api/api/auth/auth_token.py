"""Exchange a credential for a JWT"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.auth_token_request import AuthTokenRequest
    from ...models.auth_token_response import AuthTokenResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: AuthTokenRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/auth/token",
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


def _parse_response(
    response: httpx.Response,
) -> AuthTokenResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.auth_token_response import AuthTokenResponse

        return AuthTokenResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 402, 403, 404, 405, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: AuthTokenRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuthTokenResponse | ErrorResponse | ValidationErrorResponse]:
    """Exchange a credential for a JWT

    Offered by servers whose client config says `pjwt_auth_enabled`. The credential travels in `X-API-Key`, and so does
    the
    JWT afterwards. Claims a client reads, without verifying: `exp`, `iat`, `sub` (the user), `org_id`, `email`.

    Args:
        body (AuthTokenRequest): Nothing: the credential is in the header.
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
    body: AuthTokenRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuthTokenResponse | ErrorResponse | ValidationErrorResponse]:
    """Exchange a credential for a JWT

    Offered by servers whose client config says `pjwt_auth_enabled`. The credential travels in `X-API-Key`, and so does
    the
    JWT afterwards. Claims a client reads, without verifying: `exp`, `iat`, `sub` (the user), `org_id`, `email`.

    Args:
        body (AuthTokenRequest): Nothing: the credential is in the header.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
