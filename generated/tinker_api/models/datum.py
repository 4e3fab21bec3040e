from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class Datum(Schema):
    """One training example."""

    model_input: ModelInput
    """ The input of a model. """

    loss_fn_inputs: LossFnInputs
    """ Arrays by name, each as long as the model's input: `target_tokens` (int64) and, depending on the loss,
    `weights`,
    `logprobs`, `advantages`, `clip_low_threshold`, `clip_high_threshold`, `sequence_ratio_mask` (float32).
     """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_input": self.model_input.to_dict(),
            "loss_fn_inputs": self.loss_fn_inputs.to_dict(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            ModelInput.from_dict(src["model_input"]),
            LossFnInputs.from_dict(src["loss_fn_inputs"]),
        )


from ..models.loss_fn_inputs import LossFnInputs  # noqa: E402
from ..models.model_input import ModelInput  # noqa: E402
