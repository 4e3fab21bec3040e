from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SessionHeartbeatRequest(Schema):
    """A session whose client is running."""

    session_id: str
    """ Id of the session. """

    type: Literal["session_heartbeat"] = "session_heartbeat"
    """ Type tag, always `session_heartbeat`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "session_id": self.session_id,
            "type": self.type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        type_ = src.get("type")
        return cls(
            src["session_id"],
            "session_heartbeat" if type_ is None else const(type_, "session_heartbeat", "type"),
        )
