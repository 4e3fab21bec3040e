from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class DimuonOptimizerConfig(Schema):
    """The Dimuon optimizer."""

    type: Literal["dimuon"] = "dimuon"
    """ Type tag, always `dimuon`. """

    version: int = 1
    """ Version of Dimuon. """

    _ignores_unknown = False

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "version": self.version,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        version = src.get("version")
        return cls(
            const(src["type"], "dimuon", "type"),
            1 if version is None else version,
        )
