from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CreateModelResponse(Schema):
    """The training run is created."""

    model_id: str
    """ Id of the model. """

    type: Literal["create_model"] = "create_model"
    """ Type tag, always `create_model`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "model_id": self.model_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["model_id"],
            const(src["type"], "create_model", "type"),
        )
