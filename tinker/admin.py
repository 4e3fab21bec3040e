"""`AdminClient`: usage and audit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Self, TypeAlias

from tinker import types
from tinker._compat.deprecated import awaited
from tinker._compat.holder import HasHolder
from tinker._http import config
from tinker._protocol.progress import Progress
from tinker._protocol.session import Session, describe
from tinker.futures import APIFuture
from tinker_api.api.admin import get_audit_log, get_checkpoint_storage, list_billing_usage
from tinker_api.models.get_audit_log_event_type import (
    GET_AUDIT_LOG_EVENT_TYPE_VALUES,
    GetAuditLogEventType,
)
from tinker_api.types import UNSET

AuditEventType: TypeAlias = GetAuditLogEventType

_LONGEST = timedelta(days=14)


class AdminClient(HasHolder):
    """Reads usage and the audit log; most servers require an administrator's credential.

    Args:
        base_url: The server; default TINKER_BASE_URL, then the hosted service.
        api_key: The credential; default TINKER_API_KEY.
    """

    def __init__(
        self,
        _holder: Session | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
    ) -> None:
        self._owns_session = _holder is None
        self.session = _holder or Session(config.resolve(base_url, api_key))

    def __repr__(self) -> str:
        return describe(self)

    def get_audit_log(
        self, event_type: AuditEventType = "all", day: date | None = None
    ) -> APIFuture[types.AuditLogResponse]:
        """Read the audit log.

        Args:
            event_type: The kind of events.
            day: One day, from midnight to midnight UTC; None returns all days that are kept.
        """
        if event_type not in GET_AUDIT_LOG_EVENT_TYPE_VALUES:
            allowed = ", ".join(sorted(GET_AUDIT_LOG_EVENT_TYPE_VALUES))
            raise ValueError(f"event_type is {event_type!r}; it must be one of {allowed}.")
        if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
            raise TypeError(f"day is {day!r}; it must be a datetime.date.")
        progress = Progress("get_audit_log")
        request = get_audit_log.request(event_type=event_type, day=UNSET if day is None else day)
        return APIFuture.start(
            self.session.fetch(request, progress), progress, session=self.session, cancellable=True
        )

    def get_billing_usage(
        self, starting_on: datetime | str, ending_before: datetime | str
    ) -> APIFuture[types.BillingUsageResponse]:
        """Read usage by the hour.

        Args:
            starting_on: First hour: a datetime, or a string such as `2026-11-23` or `23 Nov 2026 14:00 UTC`.
                UTC unless it has an offset.
            ending_before: The hour after the last; at most 14 days later.

        Raises:
            ValueError: A time is not a full hour, or the window is empty or longer than 14 days.
        """
        begin, end = _hour("starting_on", starting_on), _hour("ending_before", ending_before)
        if not timedelta(0) < end - begin <= _LONGEST:
            raise ValueError(
                f"ending_before is {end.isoformat()}; it must be after starting_on, "
                f"{begin.isoformat()}, by at most 14 days."
            )
        progress = Progress("list_billing_usage")
        request = list_billing_usage.request(starting_on=begin, ending_before=end)
        return APIFuture.start(
            self.session.fetch(request, progress), progress, session=self.session, cancellable=True
        )

    def get_current_checkpoint_storage_usage(
        self, project_id: str | None = None
    ) -> APIFuture[types.CurrentCheckpointStorageUsageResponse]:
        """Read the storage that checkpoints take now, by project and user; of all projects, or of one."""
        progress = Progress("get_checkpoint_storage")
        request = get_checkpoint_storage.request(
            project_id=UNSET if project_id is None else project_id
        )
        return APIFuture.start(
            self.session.fetch(request, progress), progress, session=self.session, cancellable=True
        )

    def get_telemetry(self) -> None:
        """None: this client records nothing about how it is used. The official SDK returns its recorder."""

    get_audit_log_async = awaited(get_audit_log)
    get_billing_usage_async = awaited(get_billing_usage)
    get_current_checkpoint_storage_usage_async = awaited(get_current_checkpoint_storage_usage)

    def close(self) -> APIFuture[None]:
        """Close the connections, unless they are a `ServiceClient`'s."""

        async def close() -> None:
            if self._owns_session:
                await self.session.end("success")

        return APIFuture.start(close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close().result()


def _hour(name: str, value: datetime | str) -> datetime:
    """A full hour, with its offset."""
    time = value
    try:
        if isinstance(time, str):
            import dateutil.parser  # noqa: PLC0415 - for times as people write them alone

            midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            time = dateutil.parser.parse(time, default=midnight)
        if not isinstance(time, datetime):
            raise TypeError(
                f"{name} is a {type(value).__name__}; it must be a datetime or a string."
            )
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is {value!r}; it must be a date and time.") from None
    if (time.minute, time.second, time.microsecond) != (0, 0, 0):
        raise ValueError(f"{name} is {time.isoformat()}; it must be a full hour.")
    return time
