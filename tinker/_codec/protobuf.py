"""The binary encoding of batches and results: the messages of codegen/tinker.proto."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinker import types
from tinker_proto import tinker_pb2 as pb

_DTYPES = {pb.DTYPE_FLOAT32: "<f4", pb.DTYPE_INT64: "<i8", pb.DTYPE_INT32: "<i4"}


def encode_forward_backward(
    model_id: str,
    seq_id: int,
    data: Sequence[types.Datum],
    loss_fn: str,
    loss_fn_config: Mapping[str, float | str] | None,
    *,
    forward_only: bool,
) -> bytes:
    """A `ForwardBackwardRequest`."""
    message = pb.ForwardBackwardRequest(
        model_id=model_id, seq_id=seq_id, loss_fn=loss_fn, forward_only=forward_only
    )
    for key, value in (loss_fn_config or {}).items():
        if isinstance(value, str):
            message.loss_fn_config_v2[key].text = value
        else:
            message.loss_fn_config[key] = value
            message.loss_fn_config_v2[key].number = value
    for datum in data:
        added = message.data.add()
        for chunk in datum.model_input.chunks:
            match chunk:
                case types.EncodedTextChunk():
                    added.model_input.add().encoded_text.tokens = chunk.tokens_np.tobytes()
                case types.ImageChunk():
                    image = added.model_input.add().image
                    image.data, image.format = chunk.data, chunk.format
                    if chunk.expected_tokens is not None:
                        image.expected_tokens = chunk.expected_tokens
                case types.DmelChunk():
                    added.model_input.add().dmel.dmel = chunk.dmel
                case _:
                    raise ValueError("An ImageAssetPointerChunk cannot be sent to this server.")
        for name, tensor in datum.loss_fn_inputs.items():
            target = added.loss_fn_inputs[name]
            target.dtype = pb.DTYPE_INT64 if tensor.dtype == "int64" else pb.DTYPE_FLOAT32
            target.shape.extend(tensor.shape)
            if tensor.crow_indices_np is None or tensor.col_indices_np is None:
                target.dense = tensor.values_np.tobytes()
            else:
                target.sparse_csr.values = tensor.values_np.tobytes()
                target.sparse_csr.crow_indices = tensor.crow_indices_np.tobytes()
                target.sparse_csr.col_indices = tensor.col_indices_np.tobytes()
    return message.SerializeToString()


def compress(content: bytes) -> bytes:
    """One zstd frame."""
    import zstandard  # noqa: PLC0415  # only servers that ask for it need it

    return zstandard.ZstdCompressor(level=1).compress(content)


def decode_forward_backward_output(content: bytes) -> types.ForwardBackwardOutput:
    """A `ForwardBackwardOutput`."""
    message = pb.ForwardBackwardOutput.FromString(content)
    outputs: list[dict[str, types.TensorData]] = []
    for record in message.loss_fn_outputs:
        first = len(outputs)
        outputs += [{} for _ in range(record.num_datums)]
        for name, field in record.fields.items():
            dtype = np.dtype(_DTYPES[field.dtype])
            offsets = np.frombuffer(field.offsets, "<i8") // dtype.itemsize
            values = np.frombuffer(field.data, dtype)
            trailing = tuple(field.trailing_shape)
            for index in range(record.num_datums):
                part = values[offsets[index] : offsets[index + 1]]
                rows = len(part) // math.prod(trailing) if trailing else len(part)
                outputs[first + index][name] = types.TensorData.from_numpy(
                    part.reshape(rows, *trailing)
                )
    return types.ForwardBackwardOutput(
        loss_fn_output_type=message.loss_fn_output_type.rpartition(":")[2],
        loss_fn_outputs=outputs,
        metrics=dict(message.metrics),
    )


def decode_sample_response(
    content: bytes, sequence_ids: Sequence[str], prompt_length: int
) -> types.SampleResponse:
    """A `SampleResponse`."""
    message = pb.SampleResponse.FromString(content)
    prompt_logprobs: np.ndarray[Any, Any] | None = None
    if message.prompt_logprobs:
        prompt_logprobs = np.frombuffer(message.prompt_logprobs, "<f4")
        if len(prompt_logprobs) == prompt_length - 1:
            prompt_logprobs = np.concatenate([[np.float32("nan")], prompt_logprobs])
    return types.SampleResponse(
        sequences=[
            types.SampledSequence(
                stop_reason="stop" if sequence.stop_reason == pb.STOP_REASON_STOP else "length",
                sequence_id=sequence_id,
                tokens_np=np.frombuffer(sequence.tokens, "<i4"),
                logprobs_np=np.frombuffer(sequence.logprobs, "<f4") if sequence.logprobs else None,
                topk_logprobs_np=_topk(sequence.topk_sampled_logprobs)
                if sequence.HasField("topk_sampled_logprobs")
                else None,
            )
            for sequence, sequence_id in zip(message.sequences, sequence_ids, strict=False)
        ],
        prompt_logprobs_np=prompt_logprobs,
        topk_prompt_logprobs_np=_topk(message.topk_prompt_logprobs)
        if message.HasField("topk_prompt_logprobs")
        else None,
        prompt_cache_hit_tokens=message.prompt_cache_hit_tokens,
    )


def _topk(topk: pb.TopkLogprobs) -> types.TopkLogprobs:
    shape = (topk.length, topk.k)
    return types.TopkLogprobs(
        token_ids=np.frombuffer(topk.token_ids, "<i4").reshape(shape),
        logprobs=np.frombuffer(topk.logprobs, "<f4").reshape(shape),
    )
