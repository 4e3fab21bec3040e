"""`PromptAltTokens`: other tokens the model might have seen in a prompt."""

from __future__ import annotations

import attrs

from tinker.types.tensor_data import TensorData, to_tensor_data
from tinker_api.model import Model


@attrs.frozen
class PromptAltTokens(Model):
    """Alternatives for each position of a prompt but the first, both of shape [prompt - 1, k]."""

    tokens: TensorData = attrs.field(converter=to_tensor_data)
    """Token ids, int64."""
    logprobs: TensorData = attrs.field(converter=to_tensor_data)
    """Their log-probabilities, float32."""

    _ignores_unknown = True
    __hash__ = None  # type: ignore[assignment]
