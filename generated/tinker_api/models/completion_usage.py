from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CompletionUsage(Schema):
    """The number of tokens that were used."""

    prompt_tokens: int
    """ Number of tokens of the prompt. """

    completion_tokens: int
    """ Number of sampled tokens of all choices. """

    total_tokens: int
    """ Number of tokens of the prompt and of all choices. """

    prompt_tokens_details: None | TokenUsageOfPrompt = None
    """ Details of the tokens of the prompt. """

    completion_tokens_details: None | TokenUsageOfCompletion = None
    """ Details of the sampled tokens. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }
        if self.prompt_tokens_details is not None:
            result["prompt_tokens_details"] = self.prompt_tokens_details.to_dict()
        if self.completion_tokens_details is not None:
            result["completion_tokens_details"] = self.completion_tokens_details.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        prompt_tokens_details = src.get("prompt_tokens_details")
        completion_tokens_details = src.get("completion_tokens_details")
        return cls(
            src["prompt_tokens"],
            src["completion_tokens"],
            src["total_tokens"],
            None
            if prompt_tokens_details is None
            else TokenUsageOfPrompt.from_dict(prompt_tokens_details),
            None
            if completion_tokens_details is None
            else TokenUsageOfCompletion.from_dict(completion_tokens_details),
        )


from ..models.token_usage_of_completion import TokenUsageOfCompletion  # noqa: E402
from ..models.token_usage_of_prompt import TokenUsageOfPrompt  # noqa: E402
