from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class UserSearchOwner(Schema):
    """Matches what certain users own."""

    owner_urns: list[str]
    """ URNs of the users. """

    type: Literal["user"] = "user"
    """ Type tag, always `user`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "owner_urns": self.owner_urns,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["owner_urns"],
            const(src["type"], "user", "type"),
        )
