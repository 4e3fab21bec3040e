from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SaveWeightsExternalResponse(Schema):
    """The weights are saved."""

    type: Literal["save_weights_external"] = "save_weights_external"
    """ Type tag, always `save_weights_external`. """

    path: None | str = None
    """ Tinker path of the checkpoint. """

    size_bytes: int | None = None
    """ Size of its files, in bytes. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
        }
        if self.path is not None:
            result["path"] = self.path
        if self.size_bytes is not None:
            result["size_bytes"] = self.size_bytes
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        path = src.get("path")
        size_bytes = src.get("size_bytes")
        return cls(
            const(src["type"], "save_weights_external", "type"),
            path,
            size_bytes,
        )
