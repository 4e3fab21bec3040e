from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class TokenLogprob(Schema):
    """A token and its log-probability."""

    token: str
    """ Text of the token; U+FFFD if it is part of a character. """

    logprob: float
    """ Log-probability of the token under the model, before temperature, top-k and top-p. """

    bytes_: list[int] | None = None
    """ Text of the token in UTF-8. """

    top_logprobs: list[Any] | None = None
    """ The most likely tokens at this position, most likely first. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "token": self.token,
            "logprob": self.logprob,
        }
        if self.bytes_ is not None:
            result["bytes"] = self.bytes_
        if self.top_logprobs is not None:
            result["top_logprobs"] = self.top_logprobs
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        bytes_ = src.get("bytes")
        top_logprobs = src.get("top_logprobs")
        return cls(
            src["token"],
            src["logprob"],
            bytes_,
            top_logprobs,
        )
