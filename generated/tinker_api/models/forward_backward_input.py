from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.loss_fn_type import LossFnType


@_attrs_frozen(eq=False, repr=False)
class ForwardBackwardInput(Schema):
    """A batch and its loss."""

    data: list[Datum]
    """ The training examples. """

    loss_fn: LossFnType
    """ With p the current log-probability of a target token, q the given `logprobs`, A the `advantages` and
    r = exp(p - q), summed over tokens: `cross_entropy` -weight·p; `importance_sampling` -r·A;
    `ppo` -min(r·A, clip(r, low, high)·A); `cispo` -stop_gradient(clip(r, low, high))·p·A;
    `dro` -(p·A - beta/2·(p - q)²); `gspo` as ppo, with one ratio for each sequence. `stable_reinforce` needs samples
    that
    were drawn with `record_stability_info` and that the examples name in provenance spans, which only protobuf has; the
    hosted service's formula is unknown. `custom` is a loss of `create_custom_loss`.
     """

    loss_fn_config: LossFnConfig | None = None
    """ Settings of the loss. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "data": [item.to_dict() for item in self.data],
            "loss_fn": self.loss_fn,
        }
        if self.loss_fn_config is not None:
            result["loss_fn_config"] = self.loss_fn_config
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        loss_fn_config = src.get("loss_fn_config")
        return cls(
            [Datum.from_dict(item) for item in src["data"]],
            src["loss_fn"],
            None if loss_fn_config is None else LossFnConfig.from_dict(loss_fn_config),
        )


from ..models.datum import Datum  # noqa: E402
from ..models.loss_fn_config import LossFnConfig  # noqa: E402
