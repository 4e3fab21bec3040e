from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CheckpointSearchResponse(Schema):
    """A page of checkpoints."""

    checkpoints: list[Checkpoint]
    """ The checkpoints, newest first. """

    next_cursor: CheckpointSearchCursor | None = None
    """ Cursor of the next page; null on the last page. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "checkpoints": [item.to_dict() for item in self.checkpoints],
        }
        if self.next_cursor is not None:
            result["next_cursor"] = self.next_cursor.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        next_cursor = src.get("next_cursor")
        return cls(
            [Checkpoint.from_dict(item) for item in src["checkpoints"]],
            None if next_cursor is None else CheckpointSearchCursor.from_dict(next_cursor),
        )


from ..models.checkpoint import Checkpoint  # noqa: E402
from ..models.checkpoint_search_cursor import CheckpointSearchCursor  # noqa: E402
