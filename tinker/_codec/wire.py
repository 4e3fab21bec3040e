"""The part of the protobuf wire format that the codec needs: tags, lengths, numbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_CUT_SHORT = "the protobuf message is cut short"

# ---- writing --------------------------------------------------------------------------------


@lru_cache(2048)  # lengths repeat; seq_ids, which pass through here too, do not
def _short(number: int) -> bytes:
    return _varint(number)


def varint(number: int) -> bytes:
    """A number as a varint: 7-bit groups, lowest first; negative numbers as 64-bit two's complement."""
    return _short(number) if 0 <= number < 65536 else _varint(number)


def _varint(number: int) -> bytes:
    number &= 0xFFFFFFFFFFFFFFFF
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


@cache
def key(number: int, kind: int = BYTES) -> bytes:
    """The tag of a field."""
    return _varint(number << 3 | kind)


def field(number: int, content: bytes) -> bytes:
    """A field with bytes, a string or a message."""
    return key(number) + varint(len(content)) + content


def int_field(number: int, value: int, bits: int, name: str) -> bytes:
    """A field with a number.

    Raises:
        ValueError: The number does not fit; a reader would decode a different one.
    """
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise ValueError(f"{name} is {value}; it must fit into {bits} bits.")
    return key(number, VARINT) + varint(value)


# ---- reading --------------------------------------------------------------------------------


def fields(message: memoryview) -> Iterator[tuple[int, int, Any]]:
    """The fields of a message: number, wire type, and value (an int or bytes).

    Raises:
        ValueError: The bytes are not a message, or are cut short.
    """
    position, end = 0, len(message)
    while position < end:
        tag, position = _read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError(f"not a protobuf message: a field with the number {number}")
        value: Any
        if kind == VARINT:
            value, position = _read_varint(message, position)
        else:
            if kind == BYTES:
                size, position = _read_varint(message, position)
            elif kind in (FIXED64, FIXED32):
                size = 8 if kind == FIXED64 else 4
            else:
                raise ValueError(f"not a protobuf message: a field of wire type {kind}")
            stop = position + size
            if stop > end:
                raise ValueError(_CUT_SHORT)
            value, position = message[position:stop], stop
        yield number, kind, value


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    number = shift = 0
    end = len(message)
    while position < end:
        byte = message[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128 and number < 1 << 64:
            return number, position
        shift += 7
        if shift == 70:
            raise ValueError("not a protobuf message: a number of more than 64 bits")
    raise ValueError(_CUT_SHORT)


def signed(number: int) -> int:
    """An int64 from its two's complement."""
    return number - 2**64 if number >= 2**63 else number


def repeated(value: Any, kind: int) -> Iterator[int]:
    """A repeated int64 field, packed or not."""
    if kind == VARINT:
        yield signed(value)
    elif kind == BYTES:
        position = 0
        while position < len(value):
            number, position = _read_varint(value, position)
            yield signed(number)
