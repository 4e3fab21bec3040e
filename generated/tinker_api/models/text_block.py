from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class TextBlock(Schema):
    """A block of text."""

    text: str
    """ The text. """

    type: Literal["text"] = "text"
    """ Type tag, always `text`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "text": self.text,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["text"],
            const(src["type"], "text", "type"),
        )
