from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ForwardBackwardOutput(Schema):
    """The losses of a batch."""

    loss_fn_output_type: str
    """ Type of the outputs, such as `CrossEntropyLossReturn`. """

    loss_fn_outputs: list[LossFnOutput]
    """ One output for each example, in order. """

    metrics: LossMetrics
    """ Numbers by name. A name is `<metric>:<reduction>`, with one colon and a `MetricReduction`. A null stands for a
    number
    that is not finite.

    `loss:sum` is the loss. Of the losses that read `logprobs`, a server may report, each as the mean over the examples
    of
    the mean over the sampled targets (those whose `logprobs` or `advantages` are not 0): `kl:mean`, an estimate of the
    divergence of the model from the one that was sampled, exp(p - q) - 1 - (p - q); `entropy:mean`, an estimate of the
    entropy of the one that was sampled, -q; `advantage:mean`; and, of a loss that clips, `clip_fraction:mean`, the
    share of
    targets with an advantage whose ratio is outside the thresholds.
     """

    type: Literal["forward_backward"] = "forward_backward"
    """ Type tag, always `forward_backward`. Older servers leave it out. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "loss_fn_output_type": self.loss_fn_output_type,
            "loss_fn_outputs": [item.to_dict() for item in self.loss_fn_outputs],
            "metrics": self.metrics,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["loss_fn_output_type"],
            [LossFnOutput.from_dict(item) for item in src["loss_fn_outputs"]],
            LossMetrics.from_dict(src["metrics"]),
            const(src["type"], "forward_backward", "type"),
        )


from ..models.loss_fn_output import LossFnOutput  # noqa: E402
from ..models.loss_metrics import LossMetrics  # noqa: E402
