"""Training batches and model inputs: from requests to the types of engines."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from tinker_api.models.image_format import ImageFormat
from tinker_local.engine.base import EngineError, Example, ModelSpec
from tinker_local.errors import OperationFailed
from tinker_local.protocol.wire import tensors
from tinker_local.state.recordings import Provenance, Span
from tinker_proto import tinker_pb2 as pb

T = TypeVar("T")
_FORMATS = get_args(ImageFormat)


def examples_from_json(body: Mapping[str, Any], model: ModelSpec) -> list[Example]:
    """The data of a `ForwardBackwardInput`."""
    return [
        Example(
            tokens=_of_datum(index, tokens_from_json, datum["model_input"], model),
            inputs={
                name: tensors.from_json(name, tensor)
                for name, tensor in datum["loss_fn_inputs"].items()
            },
        )
        for index, datum in enumerate(body["data"])
    ]


def tokens_from_json(model_input: Mapping[str, Any], model: ModelSpec) -> npt.NDArray[np.int64]:
    parts: list[npt.NDArray[np.int64]] = []
    for chunk in model_input["chunks"]:
        kind = chunk["type"]
        if kind == "encoded_text":
            parts.append(np.asarray(chunk["tokens"], np.int64))
        elif kind == "image":
            try:
                content = base64.b64decode(chunk["data"], validate=True)
            except ValueError:
                raise OperationFailed("The data of an image is not base64.") from None
            parts.append(_image(content, chunk["format"], chunk.get("expected_tokens"), model))
        else:
            raise _not_read(kind, model)
    return _joined(parts)


def examples_from_protobuf(request: pb.ForwardBackwardRequest, model: ModelSpec) -> list[Example]:
    return [
        Example(
            tokens=_of_datum(index, _tokens_from_protobuf, datum.model_input, model),
            inputs={
                name: tensors.from_protobuf(name, tensor)
                for name, tensor in datum.loss_fn_inputs.items()
            },
        )
        for index, datum in enumerate(request.data)
    ]


def _tokens_from_protobuf(chunks: Iterable[pb.Chunk], model: ModelSpec) -> npt.NDArray[np.int64]:
    parts: list[npt.NDArray[np.int64]] = []
    for chunk in chunks:
        kind = chunk.WhichOneof("chunk")
        if kind == "encoded_text":
            ids = tensors.array_of_bytes("tokens", chunk.encoded_text.tokens, "<i4")
            parts.append(ids.astype(np.int64))
        elif kind == "image":
            image = chunk.image
            if image.format not in _FORMATS:
                raise OperationFailed(
                    f"the format of an image is {image.format!r}; it must be {' or '.join(map(repr, _FORMATS))}"
                )
            expected = image.expected_tokens if image.HasField("expected_tokens") else None
            parts.append(_image(image.data, image.format, expected, model))
        else:
            raise _not_read(kind, model)
    return _joined(parts)


def _of_datum(
    index: int, read: Callable[[T, ModelSpec], npt.NDArray[np.int64]], value: T, model: ModelSpec
) -> npt.NDArray[np.int64]:
    try:
        return read(value, model)
    except (EngineError, OperationFailed) as error:
        raise OperationFailed(f"data[{index}]: {error}") from None


def _image(
    content: bytes, file_format: str, expected: int | None, model: ModelSpec
) -> npt.NDArray[np.int64]:
    if model.image_tokens is None:
        raise _not_read("image", model)
    tokens = model.image_tokens(content, file_format)
    if expected is not None and expected != len(tokens):
        raise OperationFailed(
            f"expected_tokens is {int(expected)}; {model.name} reads this image as {len(tokens)} tokens."
        )
    return tokens


def _not_read(kind: str, model: ModelSpec) -> OperationFailed:
    if model.image_tokens is None:
        return OperationFailed(f"This model reads text only; the input has a chunk of type {kind}.")
    if kind == "image_asset_pointer":
        return OperationFailed(
            "This server fetches no images: send the image itself, as an image chunk."
        )
    return OperationFailed(
        f"This model reads text and images only; the input has a chunk of type {kind}."
    )


def _joined(parts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
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
