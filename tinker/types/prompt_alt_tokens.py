"""`PromptAltTokens`: tokens that the model might have written in place of the prompt's."""

from __future__ import annotations

import attrs

from tinker.types.tensor_data import TensorData, to_tensor_data
from tinker_api.model import Model


@attrs.frozen
class PromptAltTokens(Model):
    """Independent draws, with replacement and at the request's temperature, both of shape [prompt - 1, k].

    Row `i` is what the model draws after the prompt's token `i`, so it is an alternative to token `i + 1`.
    """

    tokens: TensorData = attrs.field(converter=to_tensor_data)
    """Token ids, int64."""
    logprobs: TensorData = attrs.field(converter=to_tensor_data)
    """Their log-probabilities by the model itself, whatever the temperature; float32."""

    _ignores_unknown = True
    __hash__ = None  # type: ignore[assignment]
