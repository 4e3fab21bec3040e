from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CheckpointsListResponse(Schema):
    """Checkpoints of the caller or of a training run."""

    checkpoints: list[Checkpoint]
    """ The checkpoints, newest first. """

    cursor: Cursor | None = None
    """ Position of the page; null if the list is complete. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "checkpoints": [item.to_dict() for item in self.checkpoints],
        }
        if self.cursor is not None:
            result["cursor"] = self.cursor.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        cursor = src.get("cursor")
        return cls(
            [Checkpoint.from_dict(item) for item in src["checkpoints"]],
            None if cursor is None else Cursor.from_dict(cursor),
        )


from ..models.checkpoint import Checkpoint  # noqa: E402
from ..models.cursor import Cursor  # noqa: E402
