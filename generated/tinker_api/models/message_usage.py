from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen
class MessageUsage(Schema):
    """The tokens that were used."""

    input_tokens: int
    """ Tokens of the prompt that were not in the cache. """

    output_tokens: int
    """ Sampled tokens. """

    cache_read_input_tokens: int | None = None
    """ Tokens of the prompt that were in the cache. """

    cache_creation_input_tokens: int | None = None
    """ Always 0: the cache is automatic. """

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
            input_tokens=src["input_tokens"],
            output_tokens=src["output_tokens"],
            cache_read_input_tokens=cache_read_input_tokens,
            cache_creation_input_tokens=cache_creation_input_tokens,
        )
