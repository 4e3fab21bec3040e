from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ListSessionsResponse(Schema):
    """A page of sessions."""

    sessions: list[str]
    """ Ids of the sessions, newest first. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "sessions": self.sessions,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["sessions"],
        )
