"""`ForwardBackwardOutput`: the result of forward and forward_backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import attrs

from tinker.types._numbers import with_nan
from tinker.types.loss_fn_output import LossFnOutput
from tinker.types.tensor_data import to_tensor_data
from tinker_api.model import Model


def _to_outputs(outputs: Sequence[Any]) -> list[LossFnOutput]:
    return [{name: to_tensor_data(value) for name, value in out.items()} for out in outputs]


def _show(outputs: list[LossFnOutput]) -> str:
    if len(outputs) <= 1:
        return repr(outputs)
    return f"[{outputs[0]!r}, … {len(outputs)} in all]"


@attrs.frozen
class ForwardBackwardOutput(Model):
    """The outputs and metrics of a loss for a batch."""

    loss_fn_output_type: str
    loss_fn_outputs: list[LossFnOutput] = attrs.field(converter=_to_outputs, repr=_show)
    """One for each datum, in order: arrays by name, such as `logprobs`."""
    metrics: dict[str, float] = attrs.field(factory=dict, converter=with_nan)
    """Numbers about the batch, by `name:suffix`; the suffix tells how chunks were combined."""

    _ignores_unknown = True
    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def _of(cls, output_type: str, outputs: list[LossFnOutput], metrics: dict[str, float]) -> Self:
        """Build from valid parts, without checks and copies."""
        made = cls.__new__(cls)
        for name, value in (
            ("loss_fn_output_type", output_type),
            ("loss_fn_outputs", outputs),
            ("metrics", metrics),
        ):
            object.__setattr__(made, name, value)
        return made
