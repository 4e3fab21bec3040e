from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SaveWeightsResponse(Schema):
    """The checkpoint is saved."""

    path: str
    """ Tinker path of the checkpoint. """

    type: Literal["save_weights"] = "save_weights"
    """ Type tag, always `save_weights`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "path": self.path,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["path"],
            const(src["type"], "save_weights", "type"),
        )
