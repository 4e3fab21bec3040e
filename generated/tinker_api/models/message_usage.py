from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class MessageUsage(Schema):
    """The number of tokens that were used."""

    input_tokens: int
    """ Number of tokens of the prompt that were not cached. """

    output_tokens: int
    """ Number of sampled tokens. """

    cache_read_input_tokens: int | None = None
    """ Number of tokens of the prompt that were cached. """

    cache_creation_input_tokens: int | None = None
    """ Always 0: caching is automatic. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }
        if self.cache_read_input_tokens is not None:
            result["cache_read_input_tokens"] = self.cache_read_input_tokens
        if self.cache_creation_input_tokens is not None:
            result["cache_creation_input_tokens"] = self.cache_creation_input_tokens
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        cache_read_input_tokens = src.get("cache_read_input_tokens")
        cache_creation_input_tokens = src.get("cache_creation_input_tokens")
        return cls(
            src["input_tokens"],
            src["output_tokens"],
            cache_read_input_tokens,
            cache_creation_input_tokens,
        )
