from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class AnthropicErrorDetail(Schema):
    """What is wrong."""

    type: str
    """ Type of the error, such as `invalid_request_error`. """

    message: str
    """ What is wrong, in a sentence that begins with the parameter. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "message": self.message,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["type"],
            src["message"],
        )
