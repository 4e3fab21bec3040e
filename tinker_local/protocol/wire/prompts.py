"""Sampling requests: from the wire to the engine's `SampleSpec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinker_local.engine.base import ModelSpec, PromptTargets, SampleSpec
from tinker_local.errors import OperationFailed
from tinker_local.protocol.wire import tensors
from tinker_local.protocol.wire.batches import tokens_from_json


def sample_spec(body: Mapping[str, Any], model: ModelSpec) -> SampleSpec:
    """Turn a `SampleRequest` into the engine's `SampleSpec`."""
    params = body["sampling_params"]
    stop = params.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    wanted = body.get("prompt_logprobs") or False
    topk = int(body.get("topk_prompt_logprobs") or 0)
    seed = params.get("seed")
    prompt = tokens_from_json(body["prompt"], model)
    targets = body.get("target_prompt_logprobs")
    return SampleSpec(
        prompt=prompt,
        num_samples=int(body.get("num_samples") or 1),
        max_tokens=_integer(params.get("max_tokens")),
        temperature=_or(params.get("temperature"), 1.0),
        top_k=int(_or(params.get("top_k"), -1)),
        top_p=_or(params.get("top_p"), 1.0),
        seed=None if seed is None else int(seed) % 2**63,
        stop_strings=[s for s in stops if isinstance(s, str)],
        stop_tokens=[int(s) for s in stops if not isinstance(s, str)],
        # An empty list turns off stopping at the end-of-sequence token.
        stop_at_eos=stop != [],
        prompt_logprobs=wanted,
        topk_prompt_logprobs=topk,
        topk_sample_logprobs=int(body.get("topk_sample_logprobs") or 0),
        prompt_logprobs_last_n=_integer(body.get("prompt_logprobs_last_n")),
        target_prompt_logprobs=None if targets is None else _targets(targets, len(prompt) - 1),
        prompt_alt_tokens_k=int(body.get("prompt_alt_tokens_k") or 0),
    )


def _targets(tensor: Mapping[str, Any], scored: int) -> PromptTargets:
    """The stored cells of `target_prompt_logprobs`, dense or sparse, row by row."""
    name = "target_prompt_logprobs"
    if tensor["dtype"] != "int64":
        raise OperationFailed(f"{name} is {tensor['dtype']}; it must be int64: token ids.")
    shape = tensors.sizes_of(name, tensor.get("shape") or [len(tensor["data"])])
    if len(shape) != 2 or shape[0] != scored:
        raise OperationFailed(
            f"{name} has shape {shape}; with a prompt of {scored + 1} tokens it must be [{scored}, K]."
        )
    ids = tensors.values_from_json(name, tensor).astype(np.int64)
    indices = tensors.indices_from_json(name, tensor)
    if indices is None:
        tensors.shaped(name, ids, shape)
        per_row: Any = shape[1]
    else:
        tensors.check_indices(name, ids, *indices, shape)
        per_row = np.diff(indices[0])
    return PromptTargets(rows=np.repeat(np.arange(scored), per_row), token_ids=ids)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)
