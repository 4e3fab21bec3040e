from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class SessionSearchResponse(Schema):
    """A page of sessions."""

    sessions: list[SessionSummary]
    """ The sessions, newest first. """

    next_cursor: None | SessionSearchCursor = None
    """ Cursor of the next page; null on the last page. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "sessions": [item.to_dict() for item in self.sessions],
        }
        if self.next_cursor is not None:
            result["next_cursor"] = self.next_cursor.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        next_cursor = src.get("next_cursor")
        return cls(
            [SessionSummary.from_dict(item) for item in src["sessions"]],
            None if next_cursor is None else SessionSearchCursor.from_dict(next_cursor),
        )


from ..models.session_search_cursor import SessionSearchCursor  # noqa: E402
from ..models.session_summary import SessionSummary  # noqa: E402
