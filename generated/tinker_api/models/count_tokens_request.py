from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import UNSET, Unset


@_attrs_frozen(eq=False, repr=False)
class CountTokensRequest(Schema):
    """A conversation whose tokens to count."""

    model: str
    """ A base model (`org/name`, `org/name:peft:<context>`), the tinker path of a checkpoint, or `<base model>;<tinker
    path>`: the checkpoint at the context length of that base model. """

    messages: list[MessageParam]
    """ The conversation. """

    system: list[Any] | None | str = None
    """ Instructions before the conversation: a string, or a list of `text` blocks. """

    tools: list[Any] | None = None
    """ Tools, as in `MessageRequest`. """

    tool_choice: Any | Unset = UNSET
    """ As in `MessageRequest`. """

    thinking: Any | Unset = UNSET
    """ As in `MessageRequest`. """

    output_config: Any | Unset = UNSET
    """ As in `MessageRequest`. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "model": self.model,
            "messages": [item.to_dict() for item in self.messages],
        }
        if self.system is not None:
            result["system"] = self.system
        if self.tools is not None:
            result["tools"] = self.tools
        if not isinstance(self.tool_choice, Unset):
            result["tool_choice"] = self.tool_choice
        if not isinstance(self.thinking, Unset):
            result["thinking"] = self.thinking
        if not isinstance(self.output_config, Unset):
            result["output_config"] = self.output_config
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        system = src.get("system")
        tools = src.get("tools")
        tool_choice = src.get("tool_choice")
        thinking = src.get("thinking")
        output_config = src.get("output_config")
        return cls(
            src["model"],
            [MessageParam.from_dict(item) for item in src["messages"]],
            system,
            tools,
            UNSET if tool_choice is None else tool_choice,
            UNSET if thinking is None else thinking,
            UNSET if output_config is None else output_config,
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
    }
)

from ..models.message_param import MessageParam  # noqa: E402
