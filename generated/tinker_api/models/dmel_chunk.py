from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class DmelChunk(Schema):
    """Audio, as a discrete mel spectrogram."""

    dmel: str
    """ The tensor container, in base64. The first dimension of the tensor is the length in tokens. """

    type: Literal["dmel"] = "dmel"
    """ Type tag, always `dmel`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "dmel": self.dmel,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["dmel"],
            const(src["type"], "dmel", "type"),
        )
