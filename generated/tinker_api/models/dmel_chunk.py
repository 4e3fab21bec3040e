from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _attrs_define

from ..types import const


@_attrs_define
class DmelChunk:
    """Audio, as a discrete mel spectrogram."""

    dmel: str
    """ The tensor container, in base64. Its first dimension is its length in tokens. """

    type: Literal["dmel"] = "dmel"
    """ Tag. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "dmel": self.dmel,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            type=const(src["type"], "dmel", "type"),
            dmel=src["dmel"],
        )
