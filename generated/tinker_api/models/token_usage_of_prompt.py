from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class TokenUsageOfPrompt(Schema):
    """Details of the tokens of a prompt."""

    cached_tokens: int = 0
    """ Number of tokens of the prompt that were cached. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "cached_tokens": self.cached_tokens,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        cached_tokens = src.get("cached_tokens")
        return cls(
            0 if cached_tokens is None else cached_tokens,
        )
