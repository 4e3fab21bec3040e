from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const, tagged


@_attrs_frozen(eq=False, repr=False)
class Message(Schema):
    """The message that the model samples."""

    id: str
    """ Id of the message. """

    model: str
    """ Name of the model, as in the request. """

    content: list[TextBlock | ThinkingBlock | ToolUseBlock]
    """ Blocks of reasoning, text and tool calls. """

    usage: MessageUsage
    """ The number of tokens that were used. """

    type: Literal["message"] = "message"
    """ Type tag, always `message`. """

    role: Literal["assistant"] = "assistant"
    """ Author of the message. """

    stop_reason: None | str = None
    """ Why the message ended: `end_turn`, `max_tokens`, `stop_sequence` or `tool_use`. """

    stop_sequence: None | str = None
    """ The one of `stop_sequences` that ended the message. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "id": self.id,
            "type": self.type,
            "role": self.role,
            "model": self.model,
            "content": [item.to_dict() for item in self.content],
            "usage": self.usage.to_dict(),
        }
        if self.stop_reason is not None:
            result["stop_reason"] = self.stop_reason
        if self.stop_sequence is not None:
            result["stop_sequence"] = self.stop_sequence
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        stop_reason = src.get("stop_reason")
        stop_sequence = src.get("stop_sequence")
        return cls(
            src["id"],
            src["model"],
            [
                tagged(
                    item,
                    "type",
                    {
                        "text": TextBlock,
                        "thinking": ThinkingBlock,
                        "tool_use": ToolUseBlock,
                    },
                )
                for item in src["content"]
            ],
            MessageUsage.from_dict(src["usage"]),
            const(src["type"], "message", "type"),
            const(src["role"], "assistant", "role"),
            stop_reason,
            stop_sequence,
        )


from ..models.message_usage import MessageUsage  # noqa: E402
from ..models.text_block import TextBlock  # noqa: E402
from ..models.thinking_block import ThinkingBlock  # noqa: E402
from ..models.tool_use_block import ToolUseBlock  # noqa: E402
