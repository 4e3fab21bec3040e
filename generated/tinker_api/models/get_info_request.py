from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class GetInfoRequest(Schema):
    """The model to describe."""

    model_id: str
    """ Id of the model. """

    type: Literal["get_info"] = "get_info"
    """ Type tag, always `get_info`. """

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
            "get_info" if type_ is None else const(type_, "get_info", "type"),
        )
