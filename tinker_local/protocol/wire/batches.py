"""Training batches and model inputs: from requests to the types of engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinker_local.engine.base import Example
from tinker_local.errors import OperationFailed
from tinker_local.protocol.wire import tensors
from tinker_local.state.recordings import Provenance, Span
from tinker_proto import tinker_pb2 as pb

_TEXT_ONLY = "This model reads text only; the input has a chunk of type {}."


def examples_from_json(body: Mapping[str, Any]) -> list[Example]:
    """The data of a `ForwardBackwardInput`."""
    return [
        Example(
            tokens=tokens_from_json(datum["model_input"]),
            inputs={
                name: tensors.from_json(name, tensor)
                for name, tensor in datum["loss_fn_inputs"].items()
            },
        )
        for datum in body["data"]
    ]


def tokens_from_json(model_input: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    parts: list[npt.NDArray[np.int64]] = []
    for chunk in model_input["chunks"]:
        if chunk["type"] != "encoded_text":
            raise OperationFailed(_TEXT_ONLY.format(chunk["type"]))
        parts.append(np.asarray(chunk["tokens"], np.int64))
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def examples_from_protobuf(request: pb.ForwardBackwardRequest) -> list[Example]:
    return [
        Example(
            tokens=_tokens_from_protobuf(datum.model_input),
            inputs={
                name: tensors.from_protobuf(name, tensor)
                for name, tensor in datum.loss_fn_inputs.items()
            },
        )
        for datum in request.data
    ]


def _tokens_from_protobuf(chunks: Iterable[pb.Chunk]) -> npt.NDArray[np.int64]:
    parts: list[npt.NDArray[np.int64]] = []
    for chunk in chunks:
        kind = chunk.WhichOneof("chunk")
        if kind != "encoded_text":
            raise OperationFailed(_TEXT_ONLY.format(kind))
        parts.append(
            tensors.array_of_bytes("tokens", chunk.encoded_text.tokens, "<i4").astype(np.int64)
        )
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def provenance(request: pb.ForwardBackwardRequest) -> list[Provenance]:
    """The provenance spans of the data."""
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
