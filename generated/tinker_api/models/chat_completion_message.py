from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ChatCompletionMessage(Schema):
    """The message that the model samples."""

    role: Literal["assistant"] = "assistant"
    """ Author of the message. """

    content: None | str = None
    """ Text of the message; null if it has only tool calls. """

    reasoning_content: None | str = None
    """ The reasoning, if there is any and `separate_reasoning` is not false. """

    tool_calls: list[ChatToolCall] | None = None
    """ Tool calls of the message. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "role": self.role,
        }
        if self.content is not None:
            result["content"] = self.content
        if self.reasoning_content is not None:
            result["reasoning_content"] = self.reasoning_content
        if self.tool_calls is not None:
            result["tool_calls"] = [item.to_dict() for item in self.tool_calls]
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        content = src.get("content")
        reasoning_content = src.get("reasoning_content")
        tool_calls = src.get("tool_calls")
        return cls(
            const(src["role"], "assistant", "role"),
            content,
            reasoning_content,
            None if tool_calls is None else [ChatToolCall.from_dict(item) for item in tool_calls],
        )


from ..models.chat_tool_call import ChatToolCall  # noqa: E402
