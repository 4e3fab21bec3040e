from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class TrainingBillingEvent(Schema):
    """Tokens that were trained on."""

    token_count: int
    """ Number of tokens. """

    type: Literal["training"] = "training"
    """ Type tag, always `training`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "token_count": self.token_count,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["token_count"],
            const(src["type"], "training", "type"),
        )
