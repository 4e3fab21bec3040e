from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class UnloadModelRequest(Schema):
    """The model to free."""

    model_id: str
    """ Id of the model. """

    type: Literal["unload_model"] = "unload_model"
    """ Type tag, always `unload_model`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_id": self.model_id,
            "type": self.type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        type_ = src.get("type")
        return cls(
            src["model_id"],
            "unload_model" if type_ is None else const(type_, "unload_model", "type"),
        )
