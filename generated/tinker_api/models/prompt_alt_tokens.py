from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class PromptAltTokens(Schema):
    """Tokens drawn, with replacement, at each position of the prompt except the first, and their log-probabilities:
    two arrays [len(prompt)-1, k]."""

    tokens: TensorData
    """ An array of numbers, flat and row-major. A sparse array is in CSR format: `shape` is then required, `data` has
    the
    stored values, and all other values are 0 (-1 in `target_prompt_logprobs`).
     """

    logprobs: TensorData
    """ An array of numbers, flat and row-major. A sparse array is in CSR format: `shape` is then required, `data` has
    the
    stored values, and all other values are 0 (-1 in `target_prompt_logprobs`).
     """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "tokens": self.tokens.to_dict(),
            "logprobs": self.logprobs.to_dict(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            TensorData.from_dict(src["tokens"]),
            TensorData.from_dict(src["logprobs"]),
        )


from ..models.tensor_data import TensorData  # noqa: E402
