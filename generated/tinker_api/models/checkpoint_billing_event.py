from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CheckpointBillingEvent(Schema):
    """Checkpoints that were saved."""

    count: int
    """ Number of checkpoints. """

    type: Literal["checkpoint"] = "checkpoint"
    """ Type tag, always `checkpoint`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "count": self.count,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["count"],
            const(src["type"], "checkpoint", "type"),
        )
