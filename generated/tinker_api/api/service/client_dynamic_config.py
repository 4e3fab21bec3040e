"""Settings a client reads again from time to time"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import Response, dumps, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.client_config_request import ClientConfigRequest
    from ...models.client_dynamic_config_response import ClientDynamicConfigResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    body: ClientConfigRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/client/dynamic_config",
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
) -> ClientDynamicConfigResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.client_dynamic_config_response import ClientDynamicConfigResponse

        return ClientDynamicConfigResponse.from_dict(loads(response.content))

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
    body: ClientConfigRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ClientDynamicConfigResponse | ErrorResponse | ValidationErrorResponse]:
    """Settings a client reads again from time to time

    A server without this route (404) means all defaults. Clients read it again every `refresh_interval_sec`.

    Args:
        body (ClientConfigRequest): Who asks for settings.
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
    body: ClientConfigRequest,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[ClientDynamicConfigResponse | ErrorResponse | ValidationErrorResponse]:
    """Settings a client reads again from time to time

    A server without this route (404) means all defaults. Clients read it again every `refresh_interval_sec`.

    Args:
        body (ClientConfigRequest): Who asks for settings.
    """

    kwargs = _get_kwargs(
        body=body,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
