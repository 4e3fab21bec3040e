"""Checks of a sampling request before it is sent, and of its result. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinker._protocol.arguments import check_number, check_whole
from tinker.types import ModelInput, SampleResponse, SamplingParams
from tinker.types._numbers import is_whole
from tinker_api import models


def check_sample(prompt: ModelInput, num_samples: int, params: SamplingParams) -> None:
    """Raise for a sampling request that no server accepts."""
    if not isinstance(prompt, ModelInput):
        raise TypeError(f"prompt is a {type(prompt).__name__}; it must be a ModelInput.")
    if not isinstance(params, SamplingParams):
        raise TypeError(f"sampling_params is a {type(params).__name__}; it must be SamplingParams.")
    check_whole("num_samples", num_samples, 1)
    if not prompt.chunks:
        raise ValueError("prompt is empty; it needs at least one token.")
    check_number("SamplingParams.temperature", params.temperature, "at least 0", lambda x: x >= 0)
    check_number(
        "SamplingParams.top_p", params.top_p, "greater than 0 and at most 1", lambda x: 0 < x <= 1
    )
    if not is_whole(params.top_k) or params.top_k < -1:
        raise ValueError(
            f"SamplingParams.top_k is {params.top_k!r}; it must be at least 1, or -1 or 0 (off)."
        )
    if params.max_tokens is not None:
        check_whole("SamplingParams.max_tokens", params.max_tokens, 1)
    if params.seed is not None:
        check_whole("SamplingParams.seed", params.seed)
    _check_stop(params.stop)


def _check_stop(stop: Any) -> None:
    if stop is None or isinstance(stop, str):
        return
    if isinstance(stop, Sequence) and not isinstance(stop, bytes):
        texts = [isinstance(item, str) for item in stop]
        if all(texts) or (not any(texts) and all(is_whole(item) and item >= 0 for item in stop)):
            return
    raise ValueError(
        f"SamplingParams.stop is {stop!r}; it must be a string, a list of strings, or a list of token ids."
    )


def missing(
    request: models.SampleRequest, response: SampleResponse, prompt: ModelInput
) -> list[str]:
    """Requested results that the response lacks: some servers ignore unknown options."""
    came = {"topk_sample_logprobs": all(s._topk is not None for s in response.sequences)}
    if length_of(prompt) != 1:  # otherwise nothing precedes its only token
        came |= {
            "prompt_logprobs": response.prompt_logprobs_np is not None,
            "topk_prompt_logprobs": response._topk is not None,
            "target_prompt_logprobs": response.target_prompt_logprobs is not None,
            "prompt_alt_tokens_k": response.prompt_alt_tokens is not None,
        }
    asked = [name for name in came if getattr(request, name)]
    return [name.removesuffix("_k") for name in asked if not came[name]]


def length_of(prompt: ModelInput) -> int:
    """Number of tokens of a prompt; -1 if it has an image without `expected_tokens`."""
    try:
        return prompt.length
    except ValueError:
        return -1
