"""Batches, prompts and results: from and to the two encodings of the wire.

Results of training and sampling are kept as protobuf, which is exact and compact; JSON is made from it
when a client asks for JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from google.protobuf.message import DecodeError

from tinker._codec import zstd
from tinker_local.engine.base import (
    Array,
    Example,
    LossResult,
    PromptTargets,
    SampleResult,
    SampleSpec,
)
from tinker_local.errors import OperationFailed, Refusal, invalid
from tinker_local.state.recordings import Provenance, Span
from tinker_proto import tinker_pb2 as pb

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
LARGEST_BODY = 256 * 2**20
_MOST_DIMENSIONS = 8
_EMPTY_LOGPROB = -99999.0

# ---- bodies ---------------------------------------------------------------------------------


def parse_json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        number = _NOT_FINITE.match(content.decode(errors="replace"), error.pos)
        why = f"JSON has no {number[0]}: {error}" if number else str(error)
        raise invalid(["body"], f"The body is not JSON: {why}", "json_invalid") from None


_NOT_FINITE = re.compile("-?(NaN|Infinity)")


def members(body: Any) -> dict[str, Any]:
    """The members of a JSON object. An absent member and an explicit null mean the same."""
    if not isinstance(body, dict):
        raise invalid(["body"], "The body is not a JSON object", "type")
    return {name: value for name, value in body.items() if value is not None}


def dumps(value: Any, *, sort: bool = False) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else None)


def parse_protobuf(content: bytes) -> pb.ForwardBackwardRequest:
    request = pb.ForwardBackwardRequest()
    try:
        request.ParseFromString(content)
    except DecodeError as error:
        raise invalid(["body"], f"The body is not a message: {error}", "protobuf") from None
    return request


def decompress(content: bytes, encoding: str) -> bytes:
    """Undo Content-Encoding."""
    if encoding in ("", "identity"):
        return content
    if encoding != "zstd":
        raise Refusal(415, f"Content-Encoding {encoding!r} is not offered; use zstd or none.")
    decoder = zstd.ZstdDecompressor()
    try:
        # One byte can stand for thousands: no more than is needed to see that it is too much.
        body = decoder.decompress(content, max_length=LARGEST_BODY + 1)
    except zstd.ZstdError as error:
        raise invalid(["body"], f"The body is not zstd: {error}", "zstd") from None
    check_size(len(body))
    if not decoder.eof or decoder.unused_data:
        raise invalid(["body"], "The body is not one whole zstd frame", "zstd")
    return body


def check_size(size: int) -> None:
    """Refuse a body that is larger than any may be."""
    if size > LARGEST_BODY:
        raise Refusal(413, f"The body is larger than {LARGEST_BODY} bytes.")


# ---- batches --------------------------------------------------------------------------------


def examples_from_json(body: Mapping[str, Any]) -> list[Example]:
    """The data of a `ForwardBackwardInput`."""
    return [
        Example(
            tokens=tokens_from_json(datum["model_input"]),
            inputs={
                name: _tensor_from_json(name, tensor)
                for name, tensor in datum["loss_fn_inputs"].items()
            },
        )
        for datum in body["data"]
    ]


_TAG_OF_MEMBER = {
    "tokens": "encoded_text",
    "location": "image_asset_pointer",
    "data": "image",
    "dmel": "dmel",
}


def add_chunk_tags(body: Any) -> bool:
    """Give chunks without a `type` the one that their members tell; returns whether there were any.

    The body has not been checked yet: what does not look like one is left for the check to refuse.
    """
    added = False
    for chunk in _chunks(body):
        if isinstance(chunk, dict) and "type" not in chunk:
            tag = next((tag for member, tag in _TAG_OF_MEMBER.items() if member in chunk), None)
            if tag is not None:
                chunk["type"] = tag
                added = True
    return added


def _chunks(body: Any) -> Iterable[Any]:
    try:
        if "prompt" in body:
            yield from body["prompt"]["chunks"]
        for name in body.keys() & {"forward_backward_input", "forward_input"}:
            for datum in body[name]["data"]:
                yield from datum["model_input"]["chunks"]
    except (TypeError, KeyError, AttributeError):
        return


def tokens_from_json(model_input: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    parts: list[npt.NDArray[np.int64]] = []
    for chunk in model_input["chunks"]:
        if chunk["type"] != "encoded_text":
            raise OperationFailed(f"This model reads text only; the input has a {chunk['type']}.")
        parts.append(np.asarray(chunk["tokens"], np.int64))
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _tensor_from_json(name: str, tensor: Mapping[str, Any]) -> Array:
    values, indices = _values_from_json(name, tensor), _indices_from_json(name, tensor)
    if indices is None:
        return _shaped(name, values, tensor.get("shape"))
    return _dense(name, values, *indices, tensor["shape"])


def _values_from_json(name: str, tensor: Mapping[str, Any]) -> Array:
    dtype = np.int64 if tensor["dtype"] == "int64" else np.float32
    values = np.asarray(tensor["data"])
    if dtype == np.int64 and values.dtype.kind == "f" and not np.array_equal(values, values // 1):
        raise OperationFailed(f"{name} is int64 and has numbers in it that are not whole.")
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(dtype)


def _indices_from_json(
    name: str, tensor: Mapping[str, Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Where the rows begin, and the columns of a sparse array; None of a dense one."""
    crow, col = tensor.get("sparse_crow_indices"), tensor.get("sparse_col_indices")
    if crow is None and col is None:
        return None
    if crow is None or col is None or tensor.get("shape") is None:
        raise OperationFailed(f"{name} is sparse: it needs both index arrays and a shape.")
    try:
        return np.asarray(crow, np.int64), np.asarray(col, np.int64)
    except OverflowError:
        raise OperationFailed(f"{name} is sparse, and has an index no array can have.") from None


def _shaped(name: str, values: Array, shape: Iterable[int] | None) -> Array:
    if shape is None:
        return values
    wanted = _sizes(name, shape)
    if math.prod(wanted) != values.size:
        raise OperationFailed(
            f"{name} has {values.size} values, which its shape {wanted} does not hold."
        )
    return values.reshape(wanted)


def _sizes(name: str, shape: Iterable[int]) -> list[int]:
    sizes = [int(size) for size in shape]
    if len(sizes) > _MOST_DIMENSIONS or not all(0 <= size <= LARGEST_BODY for size in sizes):
        raise OperationFailed(f"{name} has a shape no array can have.")
    return sizes


def _dense(
    name: str,
    values: Array,
    crow: npt.NDArray[np.int64],
    col: npt.NDArray[np.int64],
    shape: Iterable[int],
) -> Array:
    sizes = _sizes(name, shape)
    _check_indices(name, values, crow, col, sizes)
    if math.prod(sizes) > LARGEST_BODY // 4:
        raise OperationFailed(f"{name} is sparse, and its shape {sizes} is too large.")
    dense = np.zeros(sizes, values.dtype)
    dense[np.repeat(np.arange(sizes[0]), np.diff(crow)), col] = values
    return dense


def _check_indices(
    name: str,
    values: Array,
    crow: npt.NDArray[np.int64],
    col: npt.NDArray[np.int64],
    sizes: list[int],
) -> None:
    fits = (
        len(sizes) == 2
        and len(crow) == sizes[0] + 1
        and len(col) == len(values)
        and crow[0] == 0
        and crow[-1] == len(col)
        and bool((np.diff(crow) >= 0).all())
        and bool(((col >= 0) & (col < sizes[1])).all())
    )
    if not fits:
        raise OperationFailed(
            f"{name} is sparse, and its index arrays do not fit its shape {sizes}."
        )


def examples_from_protobuf(request: pb.ForwardBackwardRequest) -> list[Example]:
    return [
        Example(
            tokens=_tokens_from_protobuf(datum.model_input),
            inputs={
                name: _tensor_from_protobuf(name, tensor)
                for name, tensor in datum.loss_fn_inputs.items()
            },
        )
        for datum in request.data
    ]


def provenance(request: pb.ForwardBackwardRequest) -> list[Provenance]:
    """What the data say of where they come from."""
    return [
        Provenance(
            model_input=_spans(datum.model_input_spans), targets=_spans(datum.loss_fn_input_spans)
        )
        for datum in request.data
    ]


def _spans(messages: Iterable[pb.ProvenanceSpan]) -> list[Span]:
    spans = []
    for message in messages:
        sampled = message.WhichOneof("span") == "sampled_tokens"
        span = message.sampled_tokens if sampled else message.prompt_tokens
        spans.append(
            Span(
                sampled=sampled,
                sequence_id=span.sequence_id,
                offset=span.offset,
                length=span.length,
            )
        )
    return spans


def _tokens_from_protobuf(chunks: Iterable[pb.Chunk]) -> npt.NDArray[np.int64]:
    parts: list[npt.NDArray[np.int64]] = []
    for chunk in chunks:
        kind = chunk.WhichOneof("chunk")
        if kind != "encoded_text":
            raise OperationFailed(f"This model reads text only; the input has a {kind}.")
        parts.append(_array("tokens", chunk.encoded_text.tokens, "<i4").astype(np.int64))
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


_DTYPES = {pb.DTYPE_FLOAT32: "<f4", pb.DTYPE_INT64: "<i8", pb.DTYPE_INT32: "<i4"}


def _tensor_from_protobuf(name: str, tensor: pb.Tensor) -> Array:
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        raise OperationFailed(f"{name} has an element type that is not float32, int64 or int32.")
    if tensor.WhichOneof("encoding") == "sparse_csr":
        csr = tensor.sparse_csr
        values = _array(name, csr.values, dtype)
        crow, col = _array(name, csr.crow_indices, "<i8"), _array(name, csr.col_indices, "<i8")
        dense = _dense(name, values, crow, col, tensor.shape)
    else:
        dense = _shaped(name, _array(name, tensor.dense, dtype), tensor.shape or None)
    return dense.astype(np.int64) if dtype == "<i4" else dense


def _array(name: str, content: bytes, dtype: str) -> npt.NDArray[Any]:
    if len(content) % np.dtype(dtype).itemsize:
        raise OperationFailed(
            f"{name} has {len(content)} bytes, which is no whole number of elements."
        )
    return np.frombuffer(content, dtype)


# ---- prompts --------------------------------------------------------------------------------


def sample_spec(body: Mapping[str, Any]) -> SampleSpec:
    """A `SampleRequest`, as the engine takes it."""
    params = body["sampling_params"]
    stop = params.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    wanted = body.get("prompt_logprobs") or False
    topk = int(body.get("topk_prompt_logprobs") or 0)
    seed = params.get("seed")
    prompt = tokens_from_json(body["prompt"])
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
        # An empty list switches stopping at the end-of-sequence token off.
        stop_at_eos=stop != [],
        prompt_logprobs=wanted,
        topk_prompt_logprobs=topk,
        topk_sample_logprobs=int(body.get("topk_sample_logprobs") or 0),
        prompt_logprobs_last_n=_integer(body.get("prompt_logprobs_last_n")),
        target_prompt_logprobs=None if targets is None else _targets(targets, len(prompt) - 1),
        prompt_alt_tokens_k=int(body.get("prompt_alt_tokens_k") or 0),
    )


def _targets(tensor: Mapping[str, Any], scored: int) -> PromptTargets:
    """The cells of `target_prompt_logprobs` that are there, dense or sparse, row by row."""
    name = "target_prompt_logprobs"
    if tensor["dtype"] != "int64":
        raise OperationFailed(f"{name} is {tensor['dtype']}; it must be int64: token ids.")
    shape = _sizes(name, tensor.get("shape") or [len(tensor["data"])])
    if len(shape) != 2 or shape[0] != scored:
        raise OperationFailed(
            f"{name} has shape {shape}; a prompt of {scored + 1} tokens takes [{scored}, K]."
        )
    ids = _values_from_json(name, tensor).astype(np.int64)
    indices = _indices_from_json(name, tensor)
    if indices is None:
        _shaped(name, ids, shape)
        per_row: Any = shape[1]
    else:
        _check_indices(name, ids, *indices, shape)
        per_row = np.diff(indices[0])
    return PromptTargets(rows=np.repeat(np.arange(scored), per_row), token_ids=ids)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)


# ---- results --------------------------------------------------------------------------------


def loss_to_protobuf(result: LossResult) -> bytes:
    """A `ForwardBackwardOutput`: each named array of all examples in one piece."""
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
    """A `SampleResponse`; `targets` is the request's `target_prompt_logprobs`, whose layout the result has."""
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
            _tensor_to_protobuf(
                result.target_prompt_logprobs,
                targets["shape"],
                _indices_from_json("target_prompt_logprobs", targets),
            )
        )
    if (alternatives := result.prompt_alt_tokens) is not None:
        for name, array in (("tokens", alternatives.tokens), ("logprobs", alternatives.logprobs)):
            tensor = _tensor_to_protobuf(array, array.shape)
            getattr(message.prompt_alt_tokens, name).CopyFrom(tensor)
    return message.SerializeToString()


def _tensor_to_protobuf(
    values: Array,
    shape: Iterable[int],
    indices: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
) -> pb.Tensor:
    """An array of int64 or float32; with the row pointers and columns of its `values`, a sparse one."""
    is_int = values.dtype == np.int64
    tensor = pb.Tensor(dtype=pb.DTYPE_INT64 if is_int else pb.DTYPE_FLOAT32)
    tensor.shape.extend(int(size) for size in shape)
    content = values.astype("<i8" if is_int else "<f4").tobytes()
    if indices is None:
        tensor.dense = content
    else:
        crow, col = (part.astype("<i8").tobytes() for part in indices)
        tensor.sparse_csr.CopyFrom(pb.SparseCsr(values=content, crow_indices=crow, col_indices=col))
    return tensor


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
        # NaN, where there is none, is written as null.
        body["prompt_logprobs"] = np.frombuffer(message.prompt_logprobs, "<f4")
    if message.HasField("topk_prompt_logprobs"):
        body["topk_prompt_logprobs"] = _topk_rows(message.topk_prompt_logprobs)
    if message.HasField("target_prompt_logprobs"):
        body["target_prompt_logprobs"] = _tensor_to_json(message.target_prompt_logprobs)
    if message.HasField("prompt_alt_tokens"):
        alternatives = message.prompt_alt_tokens
        body["prompt_alt_tokens"] = {
            "tokens": _tensor_to_json(alternatives.tokens),
            "logprobs": _tensor_to_json(alternatives.logprobs),
        }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _tensor_to_json(tensor: pb.Tensor) -> dict[str, Any]:
    is_sparse = tensor.WhichOneof("encoding") == "sparse_csr"
    content = tensor.sparse_csr.values if is_sparse else tensor.dense
    body: dict[str, Any] = {
        "data": np.frombuffer(content, _DTYPES[tensor.dtype]),
        "dtype": "int64" if tensor.dtype == pb.DTYPE_INT64 else "float32",
        "shape": list(tensor.shape),
    }
    if is_sparse:
        body["sparse_crow_indices"] = np.frombuffer(tensor.sparse_csr.crow_indices, "<i8")
        body["sparse_col_indices"] = np.frombuffer(tensor.sparse_csr.col_indices, "<i8")
    return body


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
