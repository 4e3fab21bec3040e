from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen
class ValidationIssue(Schema):
    """One way in which a request does not fit its schema."""

    loc: list[str]
    """ Where, from `body`, `path`, `query` or `header` inwards; array positions are written as digits. """

    msg: str
    """ What is wrong there, for people. """

    type: str
    """ The rule that is broken, for programs. """

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
            loc=src["loc"],
            msg=src["msg"],
            type=src["type"],
        )
