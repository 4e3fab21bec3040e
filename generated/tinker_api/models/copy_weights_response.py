from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _attrs_define


@_attrs_define
class CopyWeightsResponse:
    """The copy."""

    tinker_path: str
    """ Its tinker path. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "tinker_path": self.tinker_path,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            tinker_path=src["tinker_path"],
        )
