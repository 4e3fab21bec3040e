from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..models.tensor_data import TensorData


class LossFnInputs(dict[str, TensorData]):
    """Arrays by name, each as long as the model's input: `target_tokens` (int64) and, depending on the loss,
    `weights`,
    `logprobs`, `advantages`, `clip_low_threshold`, `clip_high_threshold`, `sequence_ratio_mask` (float32).
    """

    def to_dict(self) -> dict[str, Any]:
        return {key: value.to_dict() for key, value in self.items()}

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls({key: TensorData.from_dict(value) for key, value in src.items()})
