from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CompletionLogprobs(Schema):
    """The log-probabilities of a choice, token by token."""

    tokens: list[str] = _attrs_field(factory=list)
    """ Text of each token. """

    token_logprobs: list[float | None] = _attrs_field(factory=list)
    """ The log-probability of each token; null for the first token of a prompt. """

    top_logprobs: list[Any] | None = None
    """ The most likely tokens at each position, with their log-probabilities; null if the request does not ask for
    them. """

    text_offset: list[int] = _attrs_field(factory=list)
    """ Position of each token in the text, in characters. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.tokens:
            result["tokens"] = self.tokens
        if self.token_logprobs:
            result["token_logprobs"] = self.token_logprobs
        if self.top_logprobs is not None:
            result["top_logprobs"] = self.top_logprobs
        if self.text_offset:
            result["text_offset"] = self.text_offset
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        tokens = src.get("tokens")
        token_logprobs = src.get("token_logprobs")
        top_logprobs = src.get("top_logprobs")
        text_offset = src.get("text_offset")
        return cls(
            list() if tokens is None else tokens,
            list() if token_logprobs is None else token_logprobs,
            top_logprobs,
            list() if text_offset is None else text_offset,
        )
