"""Usage by the hour"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Response, loads

if TYPE_CHECKING:
    import datetime

    import httpx

    from ...client import AuthenticatedClient
    from ...models.billing_usage_response import BillingUsageResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/billing/usage/events",
    }
    params: dict[str, Any] = {}
    json_starting_on = starting_on.isoformat()
    params["starting_on"] = json_starting_on
    json_ending_before = ending_before.isoformat()
    params["ending_before"] = json_ending_before
    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs["params"] = params
    _headers: dict[str, str] = {}

    if headers:
        _headers.update(headers)
    if _headers:
        _kwargs["headers"] = _headers
    if timeout is not None:
        _kwargs["timeout"] = timeout
    return _kwargs


def _parse_response(
    response: httpx.Response,
) -> BillingUsageResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.billing_usage_response import BillingUsageResponse

        return BillingUsageResponse.from_dict(loads(response.content))

    if response.status_code in [400, 401, 403, 404, 405, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(response.content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(response.content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[BillingUsageResponse | ErrorResponse | ValidationErrorResponse]:
    """Usage by the hour

    `starting_on` and `ending_before` are full hours, at most 14 days apart; `starting_on` is not in the future.

    Args:
        starting_on (datetime.datetime):
        ending_before (datetime.datetime):
    """

    kwargs = _get_kwargs(
        starting_on=starting_on,
        ending_before=ending_before,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[BillingUsageResponse | ErrorResponse | ValidationErrorResponse]:
    """Usage by the hour

    `starting_on` and `ending_before` are full hours, at most 14 days apart; `starting_on` is not in the future.

    Args:
        starting_on (datetime.datetime):
        ending_before (datetime.datetime):
    """

    kwargs = _get_kwargs(
        starting_on=starting_on,
        ending_before=ending_before,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
