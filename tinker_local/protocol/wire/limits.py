"""Limits of a request, checked before any object is built: a few kilobytes of JSON or protobuf can expand to millions
of objects."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import orjson

from tinker_local.errors import Refusal, invalid
from tinker_proto import tinker_pb2 as pb

MAX_BODY_BYTES = 64 * 2**20
"""Bytes of one request body, decompressed."""
MAX_DECODING_BYTES = MAX_BODY_BYTES
"""Bytes of all bodies that are being decompressed and parsed; more wait."""
MAX_RECEIVING_BYTES = 4 * MAX_BODY_BYTES
"""Bytes of all bodies that are being received; more are rejected."""
MAX_DATUMS = 1024
"""Examples in one batch; clients learn it from `fwdbwd_max_chunk_len`."""
MAX_OBJECTS = 2**17
"""Number of arrays and objects, or messages, in one body."""
MAX_DEPTH = 64
"""Nesting depth of arrays and objects."""
MAX_METADATA_BYTES = 16 * 2**10
"""Bytes of `user_metadata` as JSON."""
MAX_SMALL_BODY_BYTES = 2**20
"""Bytes of a body without examples."""
MAX_ID_CHARACTERS = 512
"""Characters of an id, a name or a path."""

# ---- bytes ------------------------------------------------------------------------------------


def check_size(size: int, largest: int = MAX_BODY_BYTES) -> None:
    """Reject a body that exceeds its limit."""
    if size > largest:
        raise Refusal(413, f"The body is larger than {largest} bytes.")


class Budget:
    """A limit on the bytes in use. For use on the event loop."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def reserved(self, size: int) -> AsyncIterator[None]:
        """Wait for so many bytes, at most the limit, in order of arrival."""
        if self._waiting or size > self._free:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.release(size)
                raise
        else:
            self._free -= size
        try:
            yield
        finally:
            self.release(size)

    def take(self, size: int) -> bool:
        """Take so many bytes if they are free. The caller must release them."""
        if size > self._free:
            return False
        self._free -= size
        return True

    def release(self, size: int) -> None:
        self._free += size
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.cancelled():
                if size > self._free:
                    return
                self._free -= size
                turn.set_result(None)
            self._waiting.popleft()


# ---- JSON -------------------------------------------------------------------------------------

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1


def check_json(content: bytes) -> None:
    """Reject unparsed JSON with too many or too deeply nested arrays and objects."""
    if content.count(b"[") + content.count(b"{") <= MAX_DEPTH:
        return
    if b"\\" not in content:
        content = content.translate(None, _NO_STRUCTURE)  # leaves little of a batch to search
    steps = _STEP[np.frombuffer(_STRING.sub(b"", content), np.uint8)]
    steps = steps[steps != 0]
    if np.count_nonzero(steps > 0) > MAX_OBJECTS:
        raise _too_many("arrays and objects")
    if steps.cumsum(dtype=np.int32).max(initial=0) > MAX_DEPTH:
        message = f"Arrays and objects are more than {MAX_DEPTH} deep"
        raise Refusal(400, f"The body is not accepted: {message}")


def check_fields(body: Mapping[str, Any]) -> None:
    """Reject a valid body with a field that exceeds its limit."""
    for name, value in body.items():
        if name == "user_metadata" and value is not None:
            size = len(orjson.dumps(value))
            if size > MAX_METADATA_BYTES:
                message = f"user_metadata has {size} bytes; at most {MAX_METADATA_BYTES}"
                raise invalid(["body", name], message, "max_length")
        elif isinstance(value, str) and len(value) > MAX_ID_CHARACTERS and _is_name(name):
            message = f"{name} has {len(value)} characters; at most {MAX_ID_CHARACTERS}"
            raise invalid(["body", name], message, "max_length")
        elif name in ("forward_backward_input", "forward_input"):
            check_datums(len(value["data"]), name)


def _is_name(name: str) -> bool:
    return name.endswith(("_id", "path", "name", "model"))


def check_datums(count: int, *location: str) -> None:
    if count > MAX_DATUMS:
        message = f"data has {count} items; at most {MAX_DATUMS}"
        raise invalid(["body", *location, "data"], message, "max_items")


# ---- protobuf ---------------------------------------------------------------------------------


def check_batch(content: bytes) -> None:
    """Reject an unparsed ForwardBackwardRequest with too many messages.

    An invalid message is left to the parser.
    """
    with contextlib.suppress(_Malformed):
        _count(memoryview(content), pb.ForwardBackwardRequest.DESCRIPTOR, 0, 0)


class _Malformed(Exception):
    pass


_DATA = pb.ForwardBackwardRequest.DESCRIPTOR.fields_by_name["data"].number
_FIXED_BYTES = {1: 8, 5: 4}


def _count(content: memoryview, kind: Any, count: int, depth: int) -> int:
    """Number of messages in a message, besides those already counted."""
    inner, packed = _nested(kind)
    at, datums = 0, 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            _, at = _varint(content, at)
        elif wire_type == 2:
            length, at = _varint(content, at)
            end = at + length
            if end > len(content):
                raise _Malformed
            message = inner.get(number)
            if number in packed:
                count += length  # elements, of at least a byte
            elif message is not None:
                count += 1
                if depth == 0 and number == _DATA:
                    datums += 1
                    check_datums(datums)
                count = _count(content[at:end], message, count, depth + 1)
            if count > MAX_OBJECTS:
                raise _too_many("messages and elements")
            at = end
        elif wire_type in _FIXED_BYTES:
            at += _FIXED_BYTES[wire_type]
        else:  # a group, which could contain messages
            raise invalid(["body"], "The body is not a message of the contract", "protobuf")
    return count


@cache
def _nested(kind: Any) -> tuple[dict[int, Any], set[int]]:
    """The fields of a message that hold messages, and those that hold many numbers."""
    inner = {one.number: one.message_type for one in kind.fields if one.message_type is not None}
    return inner, {one.number for one in kind.fields if one.is_packed}


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """A variable-length integer, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Malformed


def _too_many(what: str) -> Refusal:
    return invalid(["body"], f"The body has more than {MAX_OBJECTS} {what}", "max_items")
