from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class TokenUsageOfCompletion(Schema):
    """Details of the sampled tokens."""

    reasoning_tokens: int = 0
    """ Number of tokens of the reasoning. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "reasoning_tokens": self.reasoning_tokens,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        reasoning_tokens = src.get("reasoning_tokens")
        return cls(
            0 if reasoning_tokens is None else reasoning_tokens,
        )
