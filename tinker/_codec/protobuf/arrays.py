"""Reads what results are made of: arrays, maps and names."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinker._codec.wire import BYTES, fields, repeated
from tinker.types._arrays import Array

FLOAT32, INT64, INT32, BFLOAT16 = 1, 2, 3, 4
"""Numbers of the element types."""
WIRE_TYPES: Mapping[int, np.dtype[Any]] = {
    FLOAT32: np.dtype("<f4"),
    INT64: np.dtype("<i8"),
    INT32: np.dtype("<i4"),
    BFLOAT16: np.dtype("<u2"),
}
DOUBLE = struct.Struct("<d")
NOTHING = memoryview(b"")
_MAX_AXES = 16
"""Limit of an array's dimensions. More means that the bytes are corrupt."""


def to_array(content: memoryview, dtype: np.dtype[Any]) -> Array:
    if len(content) % dtype.itemsize:
        raise ValueError(f"{len(content)} bytes are not a multiple of the size of {dtype}")
    return np.frombuffer(content, dtype).copy()  # aligned and writable


def to_values(content: memoryview, dtype: int) -> tuple[Array, int]:
    """An array as int64 or float32, and the size of its elements on the wire."""
    if dtype not in WIRE_TYPES:
        raise ValueError(f"an array's element type is {dtype}, which is unknown")
    array = to_array(content, WIRE_TYPES[dtype])
    size = array.itemsize
    if dtype == BFLOAT16:
        array = (array.astype("<u4") << 16).view("<f4")
    elif dtype == INT32:
        array = array.astype(np.int64)
    return array, size


def add_axes(shape: list[int], value: Any, kind: int) -> None:
    for size in repeated(value, kind):
        if size < 0 or len(shape) == _MAX_AXES:
            raise ValueError(f"an array cannot have the shape {[*shape, size]}")
        shape.append(size)


def map_entry(message: memoryview, kind_of_value: int) -> tuple[str, memoryview]:
    name, content = "", NOTHING
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            name = to_text(value)
        elif number == 2 and kind == kind_of_value:
            content = value
    return name, content


def to_text(content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"a name in a result is not UTF-8: {error.reason}") from None
