from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class OptimStepResponse(Schema):
    """The step is taken."""

    type: Literal["optim_step"] = "optim_step"
    """ Type tag, always `optim_step`. """

    metrics: Metrics | None = None
    """ Numbers about the step. Clients do not reduce them. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
        }
        if self.metrics is not None:
            result["metrics"] = self.metrics
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        metrics = src.get("metrics")
        return cls(
            const(src["type"], "optim_step", "type"),
            None if metrics is None else Metrics.from_dict(metrics),
        )


from ..models.metrics import Metrics  # noqa: E402
