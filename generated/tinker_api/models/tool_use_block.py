from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ToolUseBlock(Schema):
    """A tool call."""

    id: str
    """ Identifies the call; the block with its result names it. """

    name: str
    """ Name of the tool. """

    input_: ToolUseInput
    """ The arguments of a tool call, by name. """

    type: Literal["tool_use"] = "tool_use"
    """ Type tag, always `tool_use`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "id": self.id,
            "name": self.name,
            "input": self.input_,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["id"],
            src["name"],
            ToolUseInput.from_dict(src["input"]),
            const(src["type"], "tool_use", "type"),
        )


from ..models.tool_use_input import ToolUseInput  # noqa: E402
