from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ThinkingBlock(Schema):
    """A block of reasoning."""

    thinking: str
    """ The reasoning. """

    type: Literal["thinking"] = "thinking"
    """ Type tag, always `thinking`. """

    signature: str = ""
    """ Always empty: this API does not sign reasoning. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "thinking": self.thinking,
            "signature": self.signature,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        signature = src.get("signature")
        return cls(
            src["thinking"],
            const(src["type"], "thinking", "type"),
            "" if signature is None else signature,
        )
