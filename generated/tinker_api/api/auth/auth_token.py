"""Exchange a credential for a JWT"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import Request, Response, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.auth_token_request import AuthTokenRequest
    from ...models.auth_token_response import AuthTokenResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    body: AuthTokenRequest,
) -> Request[AuthTokenResponse]:
    """Exchange a credential for a JWT

    Offered by servers whose client config has `pjwt_auth_enabled`. The credential is sent in `X-API-Key`, and later the
    JWT
    in its place. A client reads these claims, without verifying them: `exp`, `iat`, `sub` (the user), `org_id`,
    `email`.

    Args:
        body (AuthTokenRequest): An empty object. The credential is in the header.
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    headers["Content-Type"] = "application/json"
    return Request(
        operation="auth_token",
        method="POST",
        path="/api/v1/auth/token",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> AuthTokenResponse:
    from ...models.auth_token_response import AuthTokenResponse

    return AuthTokenResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> AuthTokenResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 402, 403, 404, 405, 408, 413, 415, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: AuthTokenRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuthTokenResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Exchange a credential for a JWT: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        body=body,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: AuthTokenRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuthTokenResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Exchange a credential for a JWT: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
