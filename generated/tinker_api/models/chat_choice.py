from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.chat_choice_finish_reason import (
    ChatChoiceFinishReason,
)


@_attrs_frozen(eq=False, repr=False)
class ChatChoice(Schema):
    """One completion."""

    index: int
    """ Number of the choice, from 0. """

    message: ChatCompletionMessage
    """ The message that the model samples. """

    finish_reason: ChatChoiceFinishReason
    """ Why the choice ended: `stop`, by itself or at a stop string; `length`, at the maximum number of tokens;
    `tool_calls`, with tool calls. """

    logprobs: ChatLogprobs | None = None
    """ Log-probabilities, if the request asks for them. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "index": self.index,
            "message": self.message.to_dict(),
            "finish_reason": self.finish_reason,
        }
        if self.logprobs is not None:
            result["logprobs"] = self.logprobs.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        logprobs = src.get("logprobs")
        return cls(
            src["index"],
            ChatCompletionMessage.from_dict(src["message"]),
            src["finish_reason"],
            None if logprobs is None else ChatLogprobs.from_dict(logprobs),
        )


from ..models.chat_completion_message import ChatCompletionMessage  # noqa: E402
from ..models.chat_logprobs import ChatLogprobs  # noqa: E402
