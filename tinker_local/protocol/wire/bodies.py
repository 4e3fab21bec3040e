"""Decodes and checks the encodings of request bodies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from tinker._codec import zstd
from tinker_local.errors import Refusal, invalid
from tinker_local.protocol.wire.limits import MAX_BODY_BYTES, check_size
from tinker_proto import tinker_pb2 as pb


def parse_json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        number = _NOT_FINITE.match(content.decode(errors="replace"), error.pos)
        why = f"JSON has no {number[0]}: {error}" if number else str(error)
        raise invalid(["body"], f"The body is not JSON: {why}", "json_invalid") from None


_NOT_FINITE = re.compile("-?(NaN|Infinity)")


def fields(body: Any) -> dict[str, Any]:
    """The fields of a JSON object. An absent field and an explicit null mean the same."""
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
        raise Refusal(415, f"Content-Encoding {encoding!r} is not supported; use zstd or none.")
    try:
        if zstd.get_frame_info(content).decompressed_size is None:
            # One byte can expand to thousands: count before keeping any of it.
            for piece in _pieces(content):
                del piece
        return b"".join(_pieces(content))
    except zstd.ZstdError as error:
        raise invalid(["body"], f"The body is not zstd: {error}", "zstd") from None


def _pieces(content: bytes) -> Iterator[bytes]:
    """Decompress one zstd frame, up to the limit."""
    decoder = zstd.ZstdDecompressor()
    size = 0
    while not decoder.eof and (content or not decoder.needs_input):
        piece = decoder.decompress(content, max_length=_PIECE)
        content = b""
        size += len(piece)
        check_size(size)
        yield piece
    if not decoder.eof or decoder.unused_data:
        raise invalid(["body"], "The body is not one complete zstd frame", "zstd")


_PIECE = 2**20


def decompressed_size(content: bytes, encoding: str) -> int:
    """The size that a zstd frame announces, else the largest allowed size; for other content, its own size."""
    if encoding != "zstd":
        return len(content)
    try:
        announced = zstd.get_frame_info(content).decompressed_size
    except zstd.ZstdError:
        return 0  # `decompress` reports what is wrong
    if announced is None:
        return MAX_BODY_BYTES
    check_size(announced)
    return announced


_TAG_OF_FIELD = {
    "tokens": "encoded_text",
    "location": "image_asset_pointer",
    "data": "image",
    "dmel": "dmel",
}


def add_chunk_tags(body: Any) -> bool:
    """Add the `type` of chunks without one, from their fields; returns whether there were any.

    The body is not checked yet; anything that is not a chunk is left for the check.
    """
    added = False
    for chunk in _chunks(body):
        if isinstance(chunk, dict) and "type" not in chunk:
            tag = next((tag for field, tag in _TAG_OF_FIELD.items() if field in chunk), None)
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
