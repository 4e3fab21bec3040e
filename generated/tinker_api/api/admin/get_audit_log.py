"""Read the audit log"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...types import UNSET, Request, Response, Unset, loads

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


def request(
    *,
    event_type: GetAuditLogEventType | Unset = "all",
    day: datetime.date | Unset = UNSET,
) -> Request[AuditLogResponse]:
    """Read the audit log

    Returns the entries of one day (UTC), or of all days. Only administrators may read it. Hosted servers may redirect
    to a signed URL.

    Args:
        event_type (GetAuditLogEventType | Unset):  Default: 'all'.
        day (datetime.date | Unset):
    """

    headers: dict[str, str] = {}

    headers["Accept"] = "application/json"
    query: dict[str, Any] = {}
    json_event_type: str | Unset = UNSET
    if not isinstance(event_type, Unset):
        json_event_type = event_type

    query["event_type"] = json_event_type
    json_day: str | Unset = UNSET
    if not isinstance(day, Unset):
        json_day = day.isoformat()
    query["day"] = json_day
    query = {k: v for k, v in query.items() if v is not UNSET and v is not None}

    return Request(
        operation="get_audit_log",
        method="GET",
        path="/api/v1/audit",
        parse=_parse,
        query=query,
        headers=headers,
    )


def _parse(content: bytes) -> AuditLogResponse:
    from ...models.audit_log_response import AuditLogResponse

    return AuditLogResponse.from_dict(loads(content))


def _parse_response(
    response: httpx.Response,
) -> AuditLogResponse | ErrorResponse | ValidationErrorResponse | None:
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
    event_type: GetAuditLogEventType | Unset = "all",
    day: datetime.date | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuditLogResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Read the audit log: send `request` and wait for the response, whatever its status code."""
    http = client.get_httpx_client()
    message = request(
        event_type=event_type,
        day=day,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    event_type: GetAuditLogEventType | Unset = "all",
    day: datetime.date | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> Response[AuditLogResponse | ErrorResponse | ValidationErrorResponse | None]:
    """Read the audit log: send `request` and wait for the response, whatever its status code."""
    http = client.get_async_httpx_client()
    message = request(
        event_type=event_type,
        day=day,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout))
    return Response(raw, _parse_response)
