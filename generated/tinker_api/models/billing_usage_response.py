from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class BillingUsageResponse(Schema):
    """Usage by the hour."""

    data: list[BillingUsageEvent]
    """ The usage, oldest hour first. """

    sessions: BillingUsageSessions = _attrs_field(factory=lambda: BillingUsageSessions())
    """ The sessions that appear in the usage, by id. """

    cost_data_through: datetime.datetime | None = None
    """ Time up to which costs are complete. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "data": [item.to_dict() for item in self.data],
        }
        if self.sessions:
            result["sessions"] = self.sessions.to_dict()
        if self.cost_data_through is not None:
            result["cost_data_through"] = self.cost_data_through.isoformat()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        sessions = src.get("sessions")
        cost_data_through = src.get("cost_data_through")
        return cls(
            [BillingUsageEvent.from_dict(item) for item in src["data"]],
            BillingUsageSessions()
            if sessions is None
            else BillingUsageSessions.from_dict(sessions),
            None if cost_data_through is None else parse_time(cost_data_through),
        )


from ..models.billing_usage_event import BillingUsageEvent  # noqa: E402
from ..models.billing_usage_sessions import BillingUsageSessions  # noqa: E402
