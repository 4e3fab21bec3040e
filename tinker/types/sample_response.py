"""`SampleResponse`: the result of sampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import attrs
import numpy as np

from tinker.types._arrays import Array, brief, same_array
from tinker.types.prompt_alt_tokens import PromptAltTokens
from tinker.types.sampled_sequence import SampledSequence
from tinker.types.tensor_data import TensorData, to_tensor_data
from tinker.types.topk_logprobs import TopkList, TopkLogprobs, topk_as_arrays, topk_as_list
from tinker_api.model import Model

_by_value = attrs.cmp_using(eq=same_array, class_name="Array")


@attrs.frozen(init=False, repr=False)
class SampleResponse(Model):
    """The samples of one prompt, and the requested scores of the prompt.

    It holds arrays; the lists are made on first use. Two are equal if all fields are.

    Args:
        sequences: One for each sample.
        prompt_logprobs_np: Log-probability of each token of the prompt, shape [prompt], NaN where
            it is not defined (the first token); None if not requested.
        topk_prompt_logprobs_np: The most likely tokens at each position of the prompt.
        target_prompt_logprobs: In the shape and layout of the request's `target_prompt_logprobs`.
        prompt_cache_hit_tokens: Number of the prompt's tokens that were cached.
        prompt_alt_tokens: Other tokens at each position of the prompt.
        _prompt_logprobs_list, _topk_prompt_logprobs_list: The arrays as lists.
    """

    sequences: Sequence[SampledSequence]
    prompt_logprobs_np: Array | None = attrs.field(default=None, eq=_by_value)
    _topk: TopkLogprobs | Sequence[Any] | None = attrs.field(
        alias="topk_prompt_logprobs_np", default=None, eq=topk_as_arrays
    )
    target_prompt_logprobs: TensorData | None = None
    prompt_cache_hit_tokens: int = 0
    prompt_alt_tokens: PromptAltTokens | None = None

    _dump_names: ClassVar[Mapping[str, str]] = {
        "prompt_logprobs_np": "prompt_logprobs",
        "topk_prompt_logprobs_np": "topk_prompt_logprobs",
    }
    _ignores_unknown = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(  # the positions are part of the public API
        self,
        sequences: Sequence[SampledSequence],
        prompt_logprobs_np: Array | Sequence[float | None] | None = None,
        topk_prompt_logprobs_np: TopkLogprobs | Sequence[Any] | None = None,
        target_prompt_logprobs: TensorData | None = None,
        prompt_cache_hit_tokens: int = 0,
        prompt_alt_tokens: PromptAltTokens | None = None,
        _prompt_logprobs_list: Sequence[float | None] | None = None,
        _topk_prompt_logprobs_list: Sequence[Any] | None = None,
    ) -> None:
        logprobs = _prompt_logprobs_list if prompt_logprobs_np is None else prompt_logprobs_np
        if logprobs is not None and not isinstance(logprobs, np.ndarray):
            logprobs = np.array(logprobs, np.float32)  # None becomes NaN
        self.__attrs_init__(
            [SampledSequence.model_validate(sequence) for sequence in sequences],
            logprobs,
            _topk_prompt_logprobs_list
            if topk_prompt_logprobs_np is None
            else topk_prompt_logprobs_np,
            None if target_prompt_logprobs is None else to_tensor_data(target_prompt_logprobs),
            prompt_cache_hit_tokens,
            None
            if prompt_alt_tokens is None
            else PromptAltTokens.model_validate(prompt_alt_tokens),
        )

    @cached_property
    def prompt_logprobs(self) -> list[float | None] | None:
        """Log-probability of each token of the prompt, None where it is not defined (the first)."""
        if self.prompt_logprobs_np is None:
            return None
        values: list[float | None] = self.prompt_logprobs_np.tolist()
        for position in np.flatnonzero(np.isnan(self.prompt_logprobs_np)):
            values[position] = None
        return values

    @cached_property
    def topk_prompt_logprobs(self) -> TopkList | None:
        """At each position the most likely tokens with their log-probabilities, None at the first."""
        return topk_as_list(self._topk)

    @cached_property
    def topk_prompt_logprobs_np(self) -> TopkLogprobs | None:
        """`topk_prompt_logprobs` as arrays."""
        return topk_as_arrays(self._topk)

    def __repr__(self) -> str:
        fields = {
            "sequences": self.sequences,
            "prompt_logprobs_np": self.prompt_logprobs_np,
            "topk_prompt_logprobs_np": self.topk_prompt_logprobs_np,
            "target_prompt_logprobs": self.target_prompt_logprobs,
            "prompt_alt_tokens": self.prompt_alt_tokens,
        }
        shown = {
            name: brief(value) if isinstance(value, np.ndarray) else repr(value)
            for name, value in fields.items()
            if value is not None
        }
        return f"SampleResponse({', '.join(f'{name}={text}' for name, text in shown.items())})"
