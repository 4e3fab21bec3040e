"""What `SamplingClient.sample` can return besides samples."""

from __future__ import annotations

import numpy as np
from attrs import evolve, frozen

from tinker._codec import json as json_codec
from tinker._protocol.arguments import check_whole
from tinker._sampling.checks import length_of
from tinker.types import ModelInput, TensorData
from tinker_api import models


@frozen
class SampleOptions:
    """The options of `sample`, in the order of its parameters; it documents their meaning.

    A new option needs a field here, its check in `check`, and its request field in `added_to`.
    """

    include_prompt_logprobs: bool = False
    topk_prompt_logprobs: int = 0
    topk_sample_logprobs: int = 0
    target_prompt_logprobs: TensorData | None = None
    prompt_alt_tokens_k: int = 0
    prompt_logprobs_last_n: int | None = None

    def check(self, prompt: ModelInput) -> None:
        """Raise for options that this prompt does not allow."""
        for name in ("topk_prompt_logprobs", "topk_sample_logprobs", "prompt_alt_tokens_k"):
            check_whole(name, getattr(self, name), 0)
        length = length_of(prompt)
        scored = length - 1 if length >= 0 else None
        last_n = self.prompt_logprobs_last_n
        if last_n is not None:
            check_whole("prompt_logprobs_last_n", last_n, 1)
            if not self.include_prompt_logprobs:
                raise ValueError("prompt_logprobs_last_n needs include_prompt_logprobs=True.")
            if scored is not None and last_n > scored:
                raise ValueError(
                    f"prompt_logprobs_last_n is {last_n}; of this prompt's {scored + 1} tokens, "
                    f"at most {scored} can be scored."
                )
        if self.target_prompt_logprobs is not None:
            _check_targets(self.target_prompt_logprobs, scored)

    def added_to(self, request: models.SampleRequest) -> models.SampleRequest:
        """The request with these options; the last four are newer than some servers."""
        targets = self.target_prompt_logprobs
        return evolve(
            request,
            prompt_logprobs=bool(self.include_prompt_logprobs),
            topk_prompt_logprobs=self.topk_prompt_logprobs,
            topk_sample_logprobs=self.topk_sample_logprobs or None,
            target_prompt_logprobs=None if targets is None else json_codec.tensor_data(targets),
            prompt_alt_tokens_k=self.prompt_alt_tokens_k or None,
            prompt_logprobs_last_n=self.prompt_logprobs_last_n,
        )


def _check_targets(targets: TensorData, scored: int | None) -> None:
    name = "target_prompt_logprobs"
    if not isinstance(targets, TensorData):
        raise TypeError(f"{name} is a {type(targets).__name__}; it must be TensorData.")
    if targets.dtype != "int64":
        raise ValueError(f"{name} has dtype {targets.dtype}; it must be int64: token ids.")
    shape = targets.shape
    if shape is None or len(shape) != 2 or (scored is not None and shape[0] != scored):
        rows = "len(prompt) - 1" if scored is None else str(scored)
        raise ValueError(
            f"{name} has shape {shape}; it must be [{rows}, K], a row for each position."
        )
    ids = targets.values_np
    if not np.any(ids >= 0):
        raise ValueError(f"{name} has no token ids; at least one must not be -1.")
    if np.any(ids < -1):
        raise ValueError(f"{name} contains {ids.min()}; it must be token ids, or -1 for no token.")
