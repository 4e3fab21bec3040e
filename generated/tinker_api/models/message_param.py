from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.message_param_role import MessageParamRole


@_attrs_frozen(eq=False, repr=False)
class MessageParam(Schema):
    """A message of a conversation."""

    role: MessageParamRole
    """ Author of the message. """

    content: list[Any] | str
    """ A string, or a list of blocks of type `text`, `thinking`, `redacted_thinking`, `tool_use` or `tool_result`. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "role": self.role,
            "content": self.content,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["role"],
            src["content"],
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "role",
        "content",
    }
)
