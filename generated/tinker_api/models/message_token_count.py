from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class MessageTokenCount(Schema):
    """The length of a prompt."""

    input_tokens: int
    """ Number of tokens of the prompt. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "input_tokens": self.input_tokens,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["input_tokens"],
        )
