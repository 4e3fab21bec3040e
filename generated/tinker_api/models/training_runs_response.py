from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class TrainingRunsResponse(Schema):
    """A page of training runs."""

    training_runs: list[TrainingRun]
    """ The training runs, newest first. """

    cursor: Cursor
    """ Position of a page in its list. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "training_runs": [item.to_dict() for item in self.training_runs],
            "cursor": self.cursor.to_dict(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            [TrainingRun.from_dict(item) for item in src["training_runs"]],
            Cursor.from_dict(src["cursor"]),
        )


from ..models.cursor import Cursor  # noqa: E402
from ..models.training_run import TrainingRun  # noqa: E402
