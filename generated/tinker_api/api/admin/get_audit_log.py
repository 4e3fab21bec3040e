"""The audit log"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Response, Unset, loads

if TYPE_CHECKING:
    import datetime

    import httpx

    from ...client import AuthenticatedClient
    from ...models.audit_log_response import AuditLogResponse
    from ...models.error_response import ErrorResponse
    from ...models.get_audit_log_event_type import (
        GetAuditLogEventType,
    )
    from ...models.validation_error_response import ValidationErrorResponse


def _get_kwargs(
    *,
    event_type: GetAuditLogEventType | Unset = "all",
    day: datetime.date | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> dict[str, Any]:
    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/audit",
    }
    params: dict[str, Any] = {}
    json_event_type: str | Unset = UNSET
    if not isinstance(event_type, Unset):
        json_event_type = event_type

    params["event_type"] = json_event_type
    json_day: str | Unset = UNSET
    if not isinstance(day, Unset):
        json_day = day.isoformat()
    params["day"] = json_day
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
) -> AuditLogResponse | ErrorResponse | ValidationErrorResponse | None:
    if response.is_success:
        from ...models.audit_log_response import AuditLogResponse

        return AuditLogResponse.from_dict(loads(response.content))

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
    event_type: GetAuditLogEventType | Unset = "all",
    day: datetime.date | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuditLogResponse | ErrorResponse | ValidationErrorResponse]:
    """The audit log

    Entries of one day (UTC), or of all days; needs an administrator. Hosted servers may redirect to a signed URL.

    Args:
        event_type (GetAuditLogEventType | Unset):  Default: 'all'.
        day (datetime.date | Unset):
    """

    kwargs = _get_kwargs(
        event_type=event_type,
        day=day,
        headers=headers,
        timeout=timeout,
    )
    return Response(client.get_httpx_client().request(**kwargs), _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    event_type: GetAuditLogEventType | Unset = "all",
    day: datetime.date | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuditLogResponse | ErrorResponse | ValidationErrorResponse]:
    """The audit log

    Entries of one day (UTC), or of all days; needs an administrator. Hosted servers may redirect to a signed URL.

    Args:
        event_type (GetAuditLogEventType | Unset):  Default: 'all'.
        day (datetime.date | Unset):
    """

    kwargs = _get_kwargs(
        event_type=event_type,
        day=day,
        headers=headers,
        timeout=timeout,
    )
    return Response(await client.get_async_httpx_client().request(**kwargs), _parse_response)
