from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class AdamParams(Schema):
    """Parameters of Adam with decoupled weight decay, for one step."""

    learning_rate: float = 0.0001
    """ Step size. """

    beta1: float = 0.9
    """ Decay rate of the average gradient. """

    beta2: float = 0.95
    """ Decay rate of the average squared gradient. """

    eps: float = 1e-12
    """ Number added to the denominator. """

    weight_decay: float = 0.0
    """ Decoupled weight decay. """

    grad_clip_norm: float = 0.0
    """ Global L2 norm that gradients are clipped to; 0 means no clipping. """

    _ignores_unknown = False

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "eps": self.eps,
            "weight_decay": self.weight_decay,
            "grad_clip_norm": self.grad_clip_norm,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        learning_rate = src.get("learning_rate")
        beta1 = src.get("beta1")
        beta2 = src.get("beta2")
        eps = src.get("eps")
        weight_decay = src.get("weight_decay")
        grad_clip_norm = src.get("grad_clip_norm")
        return cls(
            0.0001 if learning_rate is None else learning_rate,
            0.9 if beta1 is None else beta1,
            0.95 if beta2 is None else beta2,
            1e-12 if eps is None else eps,
            0.0 if weight_decay is None else weight_decay,
            0.0 if grad_clip_norm is None else grad_clip_norm,
        )
