from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const, tagged


@_attrs_frozen
class Message(Schema):
    """What the model says."""

    id: str
    """ Identifies the message. """

    model: str
    """ The model as the request names it. """

    content: list[TextBlock | ThinkingBlock | ToolUseBlock]
    """ Reasoning, text and tool calls. """

    usage: MessageUsage
    """ The tokens that were used. """

    type: Literal["message"] = "message"
    """ Tag. """

    role: Literal["assistant"] = "assistant"
    """ Who speaks. """

    stop_reason: None | str = None
    """ `end_turn`, `max_tokens`, `stop_sequence` or `tool_use`. """

    stop_sequence: None | str = None
    """ The string of `stop_sequences` that ended it. """

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
            id=src["id"],
            type=const(src["type"], "message", "type"),
            role=const(src["role"], "assistant", "role"),
            model=src["model"],
            content=[
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
            usage=MessageUsage.from_dict(src["usage"]),
            stop_reason=stop_reason,
            stop_sequence=stop_sequence,
        )


from ..models.message_usage import MessageUsage  # noqa: E402
from ..models.text_block import TextBlock  # noqa: E402
from ..models.thinking_block import ThinkingBlock  # noqa: E402
from ..models.tool_use_block import ToolUseBlock  # noqa: E402
