from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.chat_message_role import ChatMessageRole


@_attrs_frozen(eq=False, repr=False)
class ChatMessage(Schema):
    """A message of a conversation."""

    role: ChatMessageRole
    """ Author of the message; `developer` means `system`. """

    content: list[Any] | None | str = None
    """ A string, or a list of parts; only parts with `type: text` are supported. """

    reasoning_content: None | str = None
    """ The reasoning of an earlier message. """

    tool_calls: list[ChatToolCall] | None = None
    """ The tool calls of an earlier message. """

    tool_call_id: None | str = None
    """ In a `tool` message, the id of the call whose result it is. """

    name: None | str = None
    """ Name of the author or of the tool, for templates that read it. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "role": self.role,
        }
        if self.content is not None:
            result["content"] = self.content
        if self.reasoning_content is not None:
            result["reasoning_content"] = self.reasoning_content
        if self.tool_calls is not None:
            result["tool_calls"] = [item.to_dict() for item in self.tool_calls]
        if self.tool_call_id is not None:
            result["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            result["name"] = self.name
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        content = src.get("content")
        reasoning_content = src.get("reasoning_content")
        tool_calls = src.get("tool_calls")
        tool_call_id = src.get("tool_call_id")
        name = src.get("name")
        return cls(
            src["role"],
            content,
            reasoning_content,
            None if tool_calls is None else [ChatToolCall.from_dict(item) for item in tool_calls],
            tool_call_id,
            name,
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "role",
        "content",
        "reasoning_content",
        "tool_calls",
        "tool_call_id",
        "name",
    }
)

from ..models.chat_tool_call import ChatToolCall  # noqa: E402
