from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.stop_reason import StopReason


@_attrs_frozen(eq=False, repr=False)
class SampledSequence(Schema):
    """One completion."""

    stop_reason: StopReason
    """ Why a sample ended: `stop`, at a stop string, a stop token or the end of the text; `length`, at `max_tokens` or
    the end of the context. """

    tokens: list[int]
    """ Token ids, including a stop token. """

    logprobs: list[float] | None = None
    """ Log-probability of each token. """

    topk_logprobs: list[list[list[float]]] | None = None
    """ The most likely tokens at each position. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "stop_reason": self.stop_reason,
            "tokens": self.tokens,
        }
        if self.logprobs is not None:
            result["logprobs"] = self.logprobs
        if self.topk_logprobs is not None:
            result["topk_logprobs"] = self.topk_logprobs
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        logprobs = src.get("logprobs")
        topk_logprobs = src.get("topk_logprobs")
        return cls(
            src["stop_reason"],
            src["tokens"],
            logprobs,
            topk_logprobs,
        )
