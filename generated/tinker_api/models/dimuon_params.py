from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class DimuonParams(Schema):
    """Parameters of Dimuon, for one step."""

    learning_rate: float
    """ Step size. """

    type: Literal["dimuon"] = "dimuon"
    """ Type tag, always `dimuon`. """

    grad_clip_norm: float = 0.0
    """ Global L2 norm that gradients are clipped to; 0 or less means no clipping. """

    beta1: float = 0.9
    """ Decay rate of the momentum. """

    _ignores_unknown = False

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "learning_rate": self.learning_rate,
            "grad_clip_norm": self.grad_clip_norm,
            "beta1": self.beta1,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        grad_clip_norm = src.get("grad_clip_norm")
        beta1 = src.get("beta1")
        return cls(
            src["learning_rate"],
            const(src["type"], "dimuon", "type"),
            0.0 if grad_clip_norm is None else grad_clip_norm,
            0.9 if beta1 is None else beta1,
        )
