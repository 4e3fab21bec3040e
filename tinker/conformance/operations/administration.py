"""Usage, storage and the audit log of an organization."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tinker.conformance.checks import check
from tinker.conformance.outcomes import NotOffered
from tinker.conformance.subject import Subject


def _administrators_only(s: Subject, operation: str, query: dict[str, Any] | None = None) -> None:
    if s.send(operation, query=query).status == 403:
        raise NotOffered("403: the credential is not an administrator's")


@check("list_billing_usage", "administration")
def list_billing_usage(s: Subject) -> None:
    """Usage by the hour; a window that is not full hours is refused with 400."""
    query = {"starting_on": _hour(-1), "ending_before": _hour(1)}
    _administrators_only(s, "list_billing_usage", query)
    s.call("list_billing_usage", query=query)
    query["starting_on"] = query["starting_on"].replace(":00:00Z", ":30:00Z")
    s.refused("list_billing_usage", None, (400, 422), query=query)


def _hour(shift: int) -> str:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return (now + timedelta(hours=shift)).isoformat().replace("+00:00", "Z")


@check("get_checkpoint_storage", "administration")
def get_checkpoint_storage(s: Subject) -> None:
    """What the checkpoints take now, by project and user."""
    _administrators_only(s, "get_checkpoint_storage")
    s.call("get_checkpoint_storage")


@check("get_audit_log", "administration")
def get_audit_log(s: Subject) -> None:
    """Entries of one day (UTC); needs an administrator."""
    query = {"event_type": "checkpoints", "day": datetime.now(UTC).date().isoformat()}
    _administrators_only(s, "get_audit_log", query)
    s.call("get_audit_log", query=query)
