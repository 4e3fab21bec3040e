from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class LoadWeightsResponse(Schema):
    """The checkpoint is loaded."""

    type: Literal["load_weights"] = "load_weights"
    """ Type tag, always `load_weights`. """

    path: None | str = None
    """ Tinker path of the checkpoint. """

    model_id: None | str = None
    """ Id of the model that it was loaded into. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
        }
        if self.path is not None:
            result["path"] = self.path
        if self.model_id is not None:
            result["model_id"] = self.model_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        path = src.get("path")
        model_id = src.get("model_id")
        return cls(
            const(src["type"], "load_weights", "type"),
            path,
            model_id,
        )
