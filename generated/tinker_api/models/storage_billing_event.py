from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class StorageBillingEvent(Schema):
    """Storage of checkpoints."""

    gigabyte_hours: float
    """ Storage in gigabytes (10⁹ bytes), times hours. """

    type: Literal["storage"] = "storage"
    """ Type tag, always `storage`. """

    free: bool = False
    """ Whether the storage is free of charge. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "gigabyte_hours": self.gigabyte_hours,
            "free": self.free,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        free = src.get("free")
        return cls(
            src["gigabyte_hours"],
            const(src["type"], "storage", "type"),
            False if free is None else free,
        )
