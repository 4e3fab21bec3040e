from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class SessionSearchCursor(Schema):
    """Where a search of sessions continues. Send it back unchanged."""

    last_created_at: datetime.datetime
    """ When the last session of the page was opened. """

    last_session_id: str
    """ Id of the last session of the page. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "last_created_at": self.last_created_at.isoformat(),
            "last_session_id": self.last_session_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            parse_time(src["last_created_at"]),
            src["last_session_id"],
        )
