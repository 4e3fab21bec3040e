from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..models.tensor_data import TensorData


class LossFnOutput(dict[str, TensorData]):
    """Arrays of one example, by name; `logprobs` has the shape of `target_tokens`."""

    def to_dict(self) -> dict[str, Any]:
        return {key: value.to_dict() for key, value in self.items()}

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls({key: TensorData.from_dict(value) for key, value in src.items()})
