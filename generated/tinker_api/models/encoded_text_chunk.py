from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class EncodedTextChunk(Schema):
    """Text as token ids."""

    tokens: list[int]
    """ Token ids, in order. """

    type: Literal["encoded_text"] = "encoded_text"
    """ Type tag, always `encoded_text`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "tokens": self.tokens,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["tokens"],
            const(src["type"], "encoded_text", "type"),
        )
