from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ValidationIssue(Schema):
    """A violation of the request's schema."""

    loc: list[str]
    """ Path to the invalid value, from `body`, `path`, `query` or `header` inwards; array positions are written as
    digits. """

    msg: str
    """ What is wrong there, in a sentence. """

    type: str
    """ The schema rule that is violated, such as `minimum`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "loc": self.loc,
            "msg": self.msg,
            "type": self.type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["loc"],
            src["msg"],
            src["type"],
        )
