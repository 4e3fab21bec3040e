from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CurrentCheckpointStorageUsageResponse(Schema):
    """Storage that checkpoints take now."""

    data: list[CurrentCheckpointStorageUsageItem]
    """ The storage of each project and user. """

    effective_rate_usd_per_gigabyte_month: float | None = None
    """ Price of storing a gigabyte for a month, in US dollars. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "data": [item.to_dict() for item in self.data],
        }
        if self.effective_rate_usd_per_gigabyte_month is not None:
            result["effective_rate_usd_per_gigabyte_month"] = (
                self.effective_rate_usd_per_gigabyte_month
            )
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        effective_rate_usd_per_gigabyte_month = src.get("effective_rate_usd_per_gigabyte_month")
        return cls(
            [CurrentCheckpointStorageUsageItem.from_dict(item) for item in src["data"]],
            effective_rate_usd_per_gigabyte_month,
        )


from ..models.current_checkpoint_storage_usage_item import CurrentCheckpointStorageUsageItem  # noqa: E402
