from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ChatToolCall(Schema):
    """A tool call that the model makes."""

    id: str
    """ Identifies the call; the message with its result names it. """

    function: ChatFunctionCall
    """ The function that a tool call calls. """

    type: Literal["function"] = "function"
    """ Type tag, always `function`. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "id": self.id,
            "type": self.type,
            "function": self.function.to_dict(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["id"],
            ChatFunctionCall.from_dict(src["function"]),
            const(src["type"], "function", "type"),
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "id",
        "type",
        "function",
    }
)

from ..models.chat_function_call import ChatFunctionCall  # noqa: E402
