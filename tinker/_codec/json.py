"""The JSON encoding of batches, prompts and results.

Arrays are passed by reference: the generated models hold numpy arrays, which orjson writes. JSON has no NaN and
no infinity, and orjson would write null for one, so a batch with any is rejected here. In a result null is NaN;
the NaN and Infinity that servers in Python write are read too.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from tinker import types
from tinker_api import models
from tinker_api.models.loss_fn_type import LossFnType
from tinker_api.types import loads

# ---- requests -------------------------------------------------------------------------------


LOSSES_BY_PROVENANCE: Final = frozenset[LossFnType]({"stable_reinforce"})
"""Losses that need to know which samples the data come from."""


def training_input(
    data: Sequence[types.Datum],
    loss_fn: str,
    loss_fn_config: Mapping[str, float | str] | None,
    first: int = 0,
) -> models.ForwardBackwardInput:
    """A batch as the contract's `ForwardBackwardInput`; `first` is the index of its first datum in the call.

    Raises:
        ValueError: The batch has a NaN or an infinity (the message says where), or the loss needs data that
            this encoding cannot carry.
    """
    if loss_fn in LOSSES_BY_PROVENANCE:
        raise ValueError(
            f"{loss_fn} needs the provenance spans of the data, which JSON cannot carry; "
            "this server reads only JSON."
        )
    check_finite(data, loss_fn_config, first)
    return models.ForwardBackwardInput(
        data=[_datum(datum) for datum in data],
        loss_fn=loss_fn,  # type: ignore[arg-type]  # checked before
        loss_fn_config=None if loss_fn_config is None else models.LossFnConfig(loss_fn_config),
    )


def check_finite(
    data: Sequence[types.Datum], loss_fn_config: Mapping[str, float | str] | None, first: int = 0
) -> None:
    """Raise as `training_input` does."""
    for name, value in (loss_fn_config or {}).items():
        if not isinstance(value, str) and not math.isfinite(value):
            raise _not_in_json(f"loss_fn_config[{name!r}] is {value}")
    for index, datum in enumerate(data, first):
        for name, tensor in datum.loss_fn_inputs.items():
            if not tensor.is_finite():
                where = f"data[{index}].loss_fn_inputs[{name!r}]"
                raise _not_in_json(f"{where}.{tensor._first(~np.isfinite(tensor.values_np))}")


def _datum(datum: types.Datum) -> models.Datum:
    inputs = {name: tensor_data(tensor) for name, tensor in datum.loss_fn_inputs.items()}
    return models.Datum(
        model_input=model_input(datum.model_input), loss_fn_inputs=models.LossFnInputs(inputs)
    )


def _not_in_json(what: str) -> ValueError:
    return ValueError(f"{what}, which JSON cannot represent; it must be finite.")


def model_input(value: types.ModelInput) -> models.ModelInput:
    return models.ModelInput(chunks=[_chunk(chunk) for chunk in value.chunks])


def _chunk(
    chunk: types.ModelInputChunk,
) -> models.EncodedTextChunk | models.ImageChunk | models.ImageAssetPointerChunk | models.DmelChunk:
    match chunk:
        case types.EncodedTextChunk():
            # An int32 array in place of the schema's list: orjson writes both alike.
            return models.EncodedTextChunk(tokens=chunk.tokens_np)  # type: ignore[arg-type]
        case types.ImageChunk():
            return models.ImageChunk(
                data=base64.b64encode(chunk.data).decode(),
                format=chunk.format,
                expected_tokens=chunk.expected_tokens,
            )
        case types.ImageAssetPointerChunk():
            return models.ImageAssetPointerChunk(
                location=chunk.location,
                format=chunk.format,
                expected_tokens=chunk.expected_tokens,
            )
        case types.DmelChunk():
            return models.DmelChunk(dmel=base64.b64encode(chunk.dmel).decode())


def tensor_data(tensor: types.TensorData) -> models.TensorData:
    return models.TensorData(
        data=tensor.values_np,  # type: ignore[arg-type]  # as above
        dtype=tensor.dtype,
        shape=tensor.shape,
        sparse_crow_indices=tensor.sparse_crow_indices,
        sparse_col_indices=tensor.sparse_col_indices,
    )


# ---- results --------------------------------------------------------------------------------


def forward_backward_output(content: bytes) -> types.ForwardBackwardOutput:
    """Decode a result of forward or forward_backward."""
    body = loads(content)
    return types.ForwardBackwardOutput(
        loss_fn_output_type=body.get("loss_fn_output_type", ""),
        loss_fn_outputs=[
            {name: _tensor(tensor) for name, tensor in output.items()}
            for output in body["loss_fn_outputs"]
        ],
        metrics=body.get("metrics") or {},
    )


def _tensor(body: Mapping[str, Any]) -> types.TensorData:
    data: list[Any] = body["data"]
    # Some servers leave out the dtype where only one is possible.
    dtype: types.TensorDtype = body.get("dtype") or "float32"
    layout = [body.get(name) for name in ("shape", "sparse_crow_indices", "sparse_col_indices")]
    try:
        return types.TensorData(data, dtype, *layout)
    except ValueError:
        if dtype != "float32" or None not in data:
            raise
    # A NaN is written as null. A search for null would take as long as the rest.
    numbers = [math.nan if number is None else number for number in data]
    return types.TensorData(numbers, dtype, *layout)


def sample_response(
    content: bytes, prompt_length: int, sequence_ids: Sequence[str]
) -> types.SampleResponse:
    """Decode a result of sampling.

    The documented format of `prompt_logprobs` and `topk_prompt_logprobs` has one entry for each token of the
    prompt, the first one None. Some servers leave the first one out; it is put back.

    Args:
        content: The JSON text.
        prompt_length: Tokens of the prompt.
        sequence_ids: Names of the samples, in order; those without one are named "".
    """
    body = loads(content)
    names = iter(sequence_ids)
    return types.SampleResponse(
        sequences=[
            types.SampledSequence(
                stop_reason=sequence["stop_reason"],
                sequence_id=next(names, ""),
                tokens_np=np.asarray(sequence["tokens"], np.int32),
                logprobs_np=_floats(sequence.get("logprobs")),
                _topk_logprobs_list=_topk(sequence.get("topk_logprobs")),
            )
            for sequence in body["sequences"]
        ],
        _prompt_logprobs_list=_with_first(body.get("prompt_logprobs"), prompt_length),
        _topk_prompt_logprobs_list=_with_first(
            _topk(body.get("topk_prompt_logprobs")), prompt_length
        ),
        prompt_cache_hit_tokens=body.get("prompt_cache_hit_tokens") or 0,
        target_prompt_logprobs=_tensor(targets)
        if (targets := body.get("target_prompt_logprobs"))
        else None,
        prompt_alt_tokens=types.PromptAltTokens(
            _tensor(found["tokens"]), _tensor(found["logprobs"])
        )
        if (found := body.get("prompt_alt_tokens"))
        else None,
    )


def _topk(rows: list[Any] | None) -> list[Any] | None:
    """None if every row is empty: the request did not ask for it."""
    return rows if rows and any(rows) else None


def _with_first(values: list[Any] | None, prompt_length: int) -> list[Any] | None:
    if values is not None and len(values) == prompt_length - 1:
        return [None, *values]
    return values


def _floats(values: list[float] | None) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    return None if values is None else np.asarray(values, np.float32)
