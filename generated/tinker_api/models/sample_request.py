from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SampleRequest(Schema):
    """A prompt to complete."""

    prompt: ModelInput
    """ The input of a model. """

    sampling_params: SamplingParams
    """ How to sample. """

    num_samples: int = 1
    """ Number of completions. """

    base_model: None | str = None
    """ Name of the base model, if no sampler is given. """

    model_path: None | str = None
    """ Tinker path of the checkpoint, if no sampler is given. """

    sampling_session_id: None | str = None
    """ Id of the sampler. """

    seq_id: int | None = None
    """ Number of the request within its sampler. A repeated number gets the original promise. """

    prompt_logprobs: bool | None = None
    """ Whether to return the log-probabilities of the prompt. """

    topk_prompt_logprobs: int | None = None
    """ Number of the most likely tokens to return at each position of the prompt. Default 0. """

    topk_sample_logprobs: int | None = None
    """ Number of the most likely tokens to return at each position of the samples. Default 0. Not every server knows
    the field. """

    target_prompt_logprobs: None | TensorData = None
    """ Token ids to score at each position of the prompt except the first: int64 [len(prompt)-1, K]; -1 means no token.
    Not every server knows the field. """

    prompt_alt_tokens_k: int | None = None
    """ Number of tokens to draw at each position of the prompt except the first, independently and at the temperature
    of the request. Default 0. Not every server knows the field. """

    prompt_logprobs_last_n: int | None = None
    """ Number of positions, from the end of the prompt, to score, also by top-k; needs `prompt_logprobs`. Null means
    all. Not every server knows the field. """

    record_stability_info: bool | None = None
    """ Whether the server keeps what the loss `stable_reinforce` needs of these samples: for the time of their session,
    and for a day after they were last used. Not every server knows the field. """

    type: Literal["sample"] = "sample"
    """ Type tag, always `sample`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "prompt": self.prompt.to_dict(),
            "sampling_params": self.sampling_params.to_dict(),
            "num_samples": self.num_samples,
            "type": self.type,
        }
        if self.base_model is not None:
            result["base_model"] = self.base_model
        if self.model_path is not None:
            result["model_path"] = self.model_path
        if self.sampling_session_id is not None:
            result["sampling_session_id"] = self.sampling_session_id
        if self.seq_id is not None:
            result["seq_id"] = self.seq_id
        if self.prompt_logprobs is not None:
            result["prompt_logprobs"] = self.prompt_logprobs
        if self.topk_prompt_logprobs is not None:
            result["topk_prompt_logprobs"] = self.topk_prompt_logprobs
        if self.topk_sample_logprobs is not None:
            result["topk_sample_logprobs"] = self.topk_sample_logprobs
        if self.target_prompt_logprobs is not None:
            result["target_prompt_logprobs"] = self.target_prompt_logprobs.to_dict()
        if self.prompt_alt_tokens_k is not None:
            result["prompt_alt_tokens_k"] = self.prompt_alt_tokens_k
        if self.prompt_logprobs_last_n is not None:
            result["prompt_logprobs_last_n"] = self.prompt_logprobs_last_n
        if self.record_stability_info is not None:
            result["record_stability_info"] = self.record_stability_info
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        num_samples = src.get("num_samples")
        base_model = src.get("base_model")
        model_path = src.get("model_path")
        sampling_session_id = src.get("sampling_session_id")
        seq_id = src.get("seq_id")
        prompt_logprobs = src.get("prompt_logprobs")
        topk_prompt_logprobs = src.get("topk_prompt_logprobs")
        topk_sample_logprobs = src.get("topk_sample_logprobs")
        target_prompt_logprobs = src.get("target_prompt_logprobs")
        prompt_alt_tokens_k = src.get("prompt_alt_tokens_k")
        prompt_logprobs_last_n = src.get("prompt_logprobs_last_n")
        record_stability_info = src.get("record_stability_info")
        type_ = src.get("type")
        return cls(
            ModelInput.from_dict(src["prompt"]),
            SamplingParams.from_dict(src["sampling_params"]),
            1 if num_samples is None else num_samples,
            base_model,
            model_path,
            sampling_session_id,
            seq_id,
            prompt_logprobs,
            topk_prompt_logprobs,
            topk_sample_logprobs,
            None
            if target_prompt_logprobs is None
            else TensorData.from_dict(target_prompt_logprobs),
            prompt_alt_tokens_k,
            prompt_logprobs_last_n,
            record_stability_info,
            "sample" if type_ is None else const(type_, "sample", "type"),
        )


from ..models.model_input import ModelInput  # noqa: E402
from ..models.sampling_params import SamplingParams  # noqa: E402
from ..models.tensor_data import TensorData  # noqa: E402
