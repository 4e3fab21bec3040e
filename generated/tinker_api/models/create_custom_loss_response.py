from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CreateCustomLossResponse(Schema):
    """The loss is registered."""

    loss_id: str
    """ Id of the loss, for `loss_fn_config`. """

    type: Literal["create_custom_loss"] = "create_custom_loss"
    """ Type tag, always `create_custom_loss`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "loss_id": self.loss_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["loss_id"],
            const(src["type"], "create_custom_loss", "type"),
        )
