from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ChatFunctionCall(Schema):
    """The function that a tool call calls."""

    name: str
    """ Name of the function. """

    arguments: str
    """ The arguments, as a JSON object in a string. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "name": self.name,
            "arguments": self.arguments,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["name"],
            src["arguments"],
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "name",
        "arguments",
    }
)
