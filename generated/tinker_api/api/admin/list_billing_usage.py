"""List usage by the hour"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Request, Response, loads

if TYPE_CHECKING:
    import datetime

    import httpx

    from ...client import AuthenticatedClient
    from ...models.billing_usage_response import BillingUsageResponse
    from ...models.error_response import ErrorResponse
    from ...models.validation_error_response import ValidationErrorResponse


def request(
    *,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
) -> Request[BillingUsageResponse]:
    """List usage by the hour

    Returns what was used in each hour. `starting_on` and `ending_before` must be full hours, at most 14 days apart, and
    `starting_on` must not be in the future.

    Args:
        starting_on (datetime.datetime):
        ending_before (datetime.datetime):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    query: dict[str, Any] = {}
    json_starting_on = starting_on.isoformat()
    query["starting_on"] = json_starting_on
    json_ending_before = ending_before.isoformat()
    query["ending_before"] = json_ending_before
    query = {k: v for k, v in query.items() if v is not UNSET and v is not None}

    return Request(
        operation="list_billing_usage",
        method="GET",
        path="/api/v1/billing/usage/events",
        parse=_parse,
        query=query,
        headers=headers,
    )


def _parse(content: bytes) -> BillingUsageResponse:
    from ...models.billing_usage_response import BillingUsageResponse

    return BillingUsageResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> BillingUsageResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        return _parse(response.content)
    content = response.content
    if response.status_code in [400, 401, 403, 404, 405, 408, 429, 500, 503]:
        from ...models.error_response import ErrorResponse

        return ErrorResponse.from_dict(loads(content))

    if response.status_code in [422]:
        from ...models.validation_error_response import ValidationErrorResponse

        return ValidationErrorResponse.from_dict(loads(content))

    return None


def sync_detailed(
    *,
    client: AuthenticatedClient,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[BillingUsageResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List usage by the hour: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        starting_on=starting_on,
        ending_before=ending_before,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    starting_on: datetime.datetime,
    ending_before: datetime.datetime,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[BillingUsageResponse | ErrorResponse | ValidationErrorResponse | None]:
    """List usage by the hour: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        starting_on=starting_on,
        ending_before=ending_before,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
