"""Results of training and sampling. They are stored as protobuf, which is exact and compact; JSON is made
from it when a client asks for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import orjson

from tinker_local.engine.base import LossResult, SampleResult
from tinker_local.protocol.wire import tensors
from tinker_proto import tinker_pb2 as pb

_EMPTY_LOGPROB = -99999.0


def loss_to_protobuf(result: LossResult) -> bytes:
    """Encode a `ForwardBackwardOutput`, with each named array of all examples in one piece."""
    message = pb.ForwardBackwardOutput(loss_fn_output_type=result.output_type)
    message.metrics.update(result.metrics)
    record = message.loss_fn_outputs.add(
        type_tag=result.output_type, num_datums=len(result.outputs)
    )
    for name in result.outputs[0] if result.outputs else ():
        arrays = [np.ascontiguousarray(output[name], "<f4") for output in result.outputs]
        offsets = np.zeros(len(arrays) + 1, "<i8")
        np.cumsum([array.nbytes for array in arrays], out=offsets[1:])
        record.fields[name].CopyFrom(
            pb.BatchedTensor(
                data=b"".join(array.tobytes() for array in arrays),
                offsets=offsets.tobytes(),
                dtype=pb.DTYPE_FLOAT32,
                trailing_shape=arrays[0].shape[1:],
            )
        )
    return message.SerializeToString()


def loss_to_json(content: bytes) -> bytes:
    message = pb.ForwardBackwardOutput.FromString(content)
    outputs: list[dict[str, Any]] = []
    for record in message.loss_fn_outputs:
        first = len(outputs)
        outputs += [{} for _ in range(record.num_datums)]
        for name, field in record.fields.items():
            offsets = np.frombuffer(field.offsets, "<i8") // 4
            data = np.frombuffer(field.data, "<f4")
            trailing = list(field.trailing_shape)
            for index in range(record.num_datums):
                values = data[offsets[index] : offsets[index + 1]]
                rows = len(values) // math.prod(trailing) if trailing else len(values)
                outputs[first + index][name] = {
                    "data": values,
                    "dtype": "float32",
                    "shape": [rows, *trailing],
                }
    return orjson.dumps(
        {
            "type": "forward_backward",
            "loss_fn_output_type": message.loss_fn_output_type,
            "loss_fn_outputs": outputs,
            "metrics": dict(message.metrics),
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def sample_to_protobuf(result: SampleResult, targets: Mapping[str, Any] | None = None) -> bytes:
    """Encode a `SampleResponse`; the result has the layout of `targets`, the request's `target_prompt_logprobs`."""
    message = pb.SampleResponse()
    for sequence in result.sequences:
        added = message.sequences.add(
            stop_reason=pb.STOP_REASON_STOP
            if sequence.stop_reason == "stop"
            else pb.STOP_REASON_LENGTH,
            tokens=sequence.tokens.astype("<i4").tobytes(),
            logprobs=sequence.logprobs.astype("<f4").tobytes(),
        )
        if sequence.topk is not None:
            added.topk_sampled_logprobs.CopyFrom(_topk(sequence.topk))
    if result.prompt_logprobs is not None:
        message.prompt_logprobs = np.array(result.prompt_logprobs, "<f4").tobytes()
    if result.topk_prompt_logprobs is not None:
        message.topk_prompt_logprobs.CopyFrom(_topk(result.topk_prompt_logprobs))
    if result.target_prompt_logprobs is not None and targets is not None:
        message.target_prompt_logprobs.CopyFrom(
            tensors.to_protobuf(
                result.target_prompt_logprobs,
                targets["shape"],
                tensors.indices_from_json("target_prompt_logprobs", targets),
            )
        )
    if (alternatives := result.prompt_alt_tokens) is not None:
        for name, array in (("tokens", alternatives.tokens), ("logprobs", alternatives.logprobs)):
            tensor = tensors.to_protobuf(array, array.shape)
            getattr(message.prompt_alt_tokens, name).CopyFrom(tensor)
    return message.SerializeToString()


def _topk(rows: Iterable[list[tuple[int, float]] | None]) -> pb.TopkLogprobs:
    listed = [row or [] for row in rows]
    k = max((len(row) for row in listed), default=0)
    ids = np.zeros((len(listed), k), "<i4")
    logprobs = np.full((len(listed), k), _EMPTY_LOGPROB, "<f4")
    for index, row in enumerate(listed):
        if row:
            ids[index, : len(row)] = [token for token, _ in row]
            logprobs[index, : len(row)] = [logprob for _, logprob in row]
    return pb.TopkLogprobs(
        token_ids=ids.tobytes(), logprobs=logprobs.tobytes(), k=k, length=len(listed)
    )


def sample_to_json(content: bytes) -> bytes:
    message = pb.SampleResponse.FromString(content)
    sequences = []
    for sequence in message.sequences:
        item: dict[str, Any] = {
            "stop_reason": "stop" if sequence.stop_reason == pb.STOP_REASON_STOP else "length",
            "tokens": np.frombuffer(sequence.tokens, "<i4"),
            "logprobs": np.frombuffer(sequence.logprobs, "<f4"),
        }
        if sequence.HasField("topk_sampled_logprobs"):
            item["topk_logprobs"] = [
                row or [] for row in _topk_rows(sequence.topk_sampled_logprobs)
            ]
        sequences.append(item)
    body: dict[str, Any] = {"type": "sample", "sequences": sequences, "prompt_cache_hit_tokens": 0}
    if message.HasField("prompt_logprobs"):
        # NaN means that a value is missing; it is written as null.
        body["prompt_logprobs"] = np.frombuffer(message.prompt_logprobs, "<f4")
    if message.HasField("topk_prompt_logprobs"):
        body["topk_prompt_logprobs"] = _topk_rows(message.topk_prompt_logprobs)
    if message.HasField("target_prompt_logprobs"):
        body["target_prompt_logprobs"] = tensors.to_json(message.target_prompt_logprobs)
    if message.HasField("prompt_alt_tokens"):
        alternatives = message.prompt_alt_tokens
        body["prompt_alt_tokens"] = {
            "tokens": tensors.to_json(alternatives.tokens),
            "logprobs": tensors.to_json(alternatives.logprobs),
        }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _topk_rows(topk: pb.TopkLogprobs) -> list[list[list[float]] | None]:
    ids = np.frombuffer(topk.token_ids, "<i4").reshape(topk.length, topk.k)
    logprobs = np.frombuffer(topk.logprobs, "<f4").reshape(topk.length, topk.k)
    rows: list[list[list[float]] | None] = []
    for row_ids, row_logprobs in zip(ids.tolist(), logprobs.tolist(), strict=True):
        row = [
            [token, logprob]
            for token, logprob in zip(row_ids, row_logprobs, strict=True)
            if logprob != _EMPTY_LOGPROB
        ]
        rows.append(row or None)
    return rows
