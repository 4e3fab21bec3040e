"""Receives request bodies within limits of size and time, and decodes and checks them off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from tinker._codec import media_types
from tinker_local.errors import Refusal
from tinker_local.options import Options
from tinker_local.protocol import validation
from tinker_local.protocol.contract import Operation
from tinker_local.protocol.wire import bodies, limits

_MAY_OMIT_TAGS = ("AsyncTinker/", "AsyncTinkex/")
"""User agents of clients whose older versions leave out the `type` of a chunk."""
_SMALL = 2**16
"""Bodies up to this size are decoded on the event loop; larger ones on a thread."""
_BRING_DATA = {
    "forward_backward",
    "forward",
    "asample",
    "stream_sample",
    "create_custom_loss",
    "telemetry",
}
_CHATS = ("openai", "anthropic")


class Intake:
    """Lives on the event loop."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._receiving = limits.Budget(limits.MAX_RECEIVING_BYTES)
        self._decoding = limits.Budget(limits.MAX_DECODING_BYTES)

    async def body(self, request: Request, operation: Operation) -> tuple[str, bytes, Any]:
        """The media type, the content without Content-Encoding, and the decoded body of a request."""
        media_type = self._media_type(request, operation)
        encoding = request.headers.get("content-encoding", "").strip().lower()
        largest = limits.MAX_BODY_BYTES
        if media_type == media_types.JSON and not (
            operation.operation_id in _BRING_DATA or operation.tag in _CHATS
        ):
            largest = limits.MAX_SMALL_BODY_BYTES
        content = await self._receive(request, largest)
        untagged = request.headers.get("user-agent", "").startswith(_MAY_OMIT_TAGS)
        arguments = operation.operation_id, content, encoding, media_type, untagged
        if len(content) <= _SMALL and encoding in ("", "identity"):
            return media_type, *_decode(*arguments)
        async with self._decoding.reserved(bodies.decompressed_size(content, encoding)):
            return media_type, *await asyncio.to_thread(_decode, *arguments)

    def _media_type(self, request: Request, operation: Operation) -> str:
        """The media type of the body, which must be one that the server reads."""
        media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type == "application/protobuf":
            media_type = media_types.PROTOBUF
        read = operation.media_types
        if not self._options.protobuf:
            read = tuple(kind for kind in read if kind != media_types.PROTOBUF)
        if media_type not in read:
            raise Refusal(415, f"Expected {' or '.join(read)}")
        return media_type

    async def _receive(self, request: Request, largest: int) -> bytes:
        limits.check_size(int(request.headers.get("content-length", 0)), largest)
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in self.stream(request):
                if not self._receiving.take(len(piece)):
                    raise Refusal(
                        503,
                        f"More than {limits.MAX_RECEIVING_BYTES} bytes of bodies are being received",
                        {"Retry-After": "1"},
                    )
                size += len(piece)
                limits.check_size(size, largest)
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            self._receiving.release(size)

    async def stream(self, request: Request) -> AsyncIterator[bytes]:
        """The pieces of a body as they arrive; 408 when none comes for too long."""
        stream, seconds = request.stream(), self._options.receive_seconds
        while True:
            try:
                async with asyncio.timeout(seconds):
                    piece = await anext(stream, None)
            except TimeoutError:
                raise Refusal(
                    408, f"No part of the body arrived for {seconds:g} s", {"Connection": "close"}
                ) from None
            if piece is None:
                return
            yield piece


def _decode(
    operation_id: str, content: bytes, encoding: str, media_type: str, untagged: bool
) -> tuple[bytes, Any]:
    if encoding not in ("", "identity") and media_type != media_types.PROTOBUF:
        raise Refusal(415, f"Content-Encoding is for {media_types.PROTOBUF}; send JSON without it")
    content = bodies.decompress(content, encoding)
    if media_type == media_types.PROTOBUF:
        limits.check_batch(content)
        return content, bodies.parse_protobuf(content)
    limits.check_json(content)
    body = bodies.parse_json(content)
    if untagged and bodies.add_chunk_tags(body):
        content = bodies.dumps(body)
    validation.check_body(operation_id, body, len(content))
    fields = bodies.fields(body)
    limits.check_fields(fields)
    return content, fields
