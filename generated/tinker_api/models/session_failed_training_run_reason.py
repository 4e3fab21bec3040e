from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SessionFailedTrainingRunReason(Schema):
    """A training run failed."""

    training_run_id: str
    """ Id of the training run. """

    type: Literal["training_run"] = "training_run"
    """ Type tag, always `training_run`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "training_run_id": self.training_run_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["training_run_id"],
            const(src["type"], "training_run", "type"),
        )
