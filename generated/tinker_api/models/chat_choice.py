from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.chat_choice_finish_reason import (
    ChatChoiceFinishReason,
)


@_attrs_frozen
class ChatChoice(Schema):
    """One completion."""

    index: int
    """ Which of the choices. """

    message: ChatCompletionMessage
    """ What the model says. """

    finish_reason: ChatChoiceFinishReason
    """ Why it ends: at its own end or a stop string, at the maximum number of tokens, or with tool calls. """

    logprobs: ChatLogprobs | None = None
    """ If asked for. """

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
            index=src["index"],
            message=ChatCompletionMessage.from_dict(src["message"]),
            finish_reason=src["finish_reason"],
            logprobs=None if logprobs is None else ChatLogprobs.from_dict(logprobs),
        )


from ..models.chat_completion_message import ChatCompletionMessage  # noqa: E402
from ..models.chat_logprobs import ChatLogprobs  # noqa: E402
