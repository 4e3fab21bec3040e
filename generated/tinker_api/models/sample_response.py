from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SampleResponse(Schema):
    """Completions of a prompt."""

    sequences: list[SampledSequence]
    """ The completions. """

    type: Literal["sample"] = "sample"
    """ Type tag, always `sample`. """

    prompt_logprobs: list[float | None] | None = None
    """ Log-probability of each token of the prompt; null where it is not known, such as at the first. """

    topk_prompt_logprobs: list[list[list[float]] | None] | None = None
    """ The most likely tokens at each position of the prompt. """

    target_prompt_logprobs: None | TensorData = None
    """ Log-probabilities in the shape and layout of the request; 0.0 where the request has -1. """

    prompt_alt_tokens: None | PromptAltTokens = None
    """ The tokens that were drawn, if the request asks for them. """

    prompt_cache_hit_tokens: int = 0
    """ Number of tokens of the prompt that were cached, counted once for all samples. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "sequences": [item.to_dict() for item in self.sequences],
            "prompt_cache_hit_tokens": self.prompt_cache_hit_tokens,
        }
        if self.prompt_logprobs is not None:
            result["prompt_logprobs"] = self.prompt_logprobs
        if self.topk_prompt_logprobs is not None:
            result["topk_prompt_logprobs"] = self.topk_prompt_logprobs
        if self.target_prompt_logprobs is not None:
            result["target_prompt_logprobs"] = self.target_prompt_logprobs.to_dict()
        if self.prompt_alt_tokens is not None:
            result["prompt_alt_tokens"] = self.prompt_alt_tokens.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        prompt_logprobs = src.get("prompt_logprobs")
        topk_prompt_logprobs = src.get("topk_prompt_logprobs")
        target_prompt_logprobs = src.get("target_prompt_logprobs")
        prompt_alt_tokens = src.get("prompt_alt_tokens")
        prompt_cache_hit_tokens = src.get("prompt_cache_hit_tokens")
        return cls(
            [SampledSequence.from_dict(item) for item in src["sequences"]],
            const(src["type"], "sample", "type"),
            prompt_logprobs,
            topk_prompt_logprobs,
            None
            if target_prompt_logprobs is None
            else TensorData.from_dict(target_prompt_logprobs),
            None if prompt_alt_tokens is None else PromptAltTokens.from_dict(prompt_alt_tokens),
            0 if prompt_cache_hit_tokens is None else prompt_cache_hit_tokens,
        )


from ..models.prompt_alt_tokens import PromptAltTokens  # noqa: E402
from ..models.sampled_sequence import SampledSequence  # noqa: E402
from ..models.tensor_data import TensorData  # noqa: E402
