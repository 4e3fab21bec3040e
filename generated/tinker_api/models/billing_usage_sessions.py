from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..models.billing_usage_session import BillingUsageSession


class BillingUsageSessions(dict[str, BillingUsageSession]):
    """The sessions that appear in the usage, by id."""

    def to_dict(self) -> dict[str, Any]:
        return {key: value.to_dict() for key, value in self.items()}

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls({key: BillingUsageSession.from_dict(value) for key, value in src.items()})
