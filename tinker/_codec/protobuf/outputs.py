"""Reads the results of training."""

from __future__ import annotations

import itertools
import math

import numpy as np

from tinker import types
from tinker._codec.protobuf import arrays
from tinker._codec.protobuf.arrays import DOUBLE, INT64, NOTHING, WIRE_TYPES
from tinker._codec.wire import BYTES, FIXED64, VARINT, fields, signed

_MAX_DATUMS = 2**20
"""Limit of a result. More means that the bytes are corrupt, and would fill the memory."""


def decode_forward_backward_output(content: bytes) -> types.ForwardBackwardOutput:
    """A `ForwardBackwardOutput`.

    Raises:
        ValueError: The bytes are not a message of this type.
    """
    output_type, metrics, records = "", {}, 0
    outputs: list[types.LossFnOutput] = []
    for number, kind, value in fields(memoryview(content)):
        if number == 1 and kind == BYTES:
            # The part before the colon is specific to the server.
            output_type = arrays.to_text(value).rpartition(":")[2]
        elif number == 2 and kind == BYTES:
            records += 1
            outputs += _array_record(value, _MAX_DATUMS - len(outputs))
        elif number == 3 and kind == BYTES:
            name, metric = arrays.map_entry(value, FIXED64)
            metrics[name] = (
                DOUBLE.unpack(metric)[0] if metric else 0.0
            )  # protobuf does not write zeros
    if not records and not output_type:
        output_type = "ArrayRecord"
    return types.ForwardBackwardOutput._of(output_type, outputs, metrics)


def _array_record(message: memoryview, most: int) -> list[types.LossFnOutput]:
    """One mapping of arrays for each datum, at most `most` of them."""
    count, columns = 0, {}
    for number, kind, value in fields(message):
        if number == 2 and kind == BYTES:
            name, tensor = arrays.map_entry(value, BYTES)
            columns[name] = _batched_tensor(tensor)
        elif number == 3 and kind == VARINT:
            count = signed(value)
    # Some servers leave the count out; the arrays tell it.
    count = count or max(map(len, columns.values()), default=0)
    if not 0 <= count <= most:
        raise ValueError(f"a result cannot have {count} datums")
    if any(len(column) != count for column in columns.values()):
        raise ValueError("the number of arrays in a result differs from that of its datums")
    if not columns:
        return [{} for _ in range(count)]
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _batched_tensor(message: memoryview) -> list[types.TensorData]:
    """Split the batched array into one array for each datum."""
    data, offsets, dtype = NOTHING, NOTHING, 0
    trailing: list[int] = []
    for number, kind, value in fields(message):
        if number == 1 and kind == BYTES:
            data = value
        elif number == 2 and kind == BYTES:
            offsets = value
        elif number == 3 and kind == VARINT:
            dtype = value
        elif number == 4:
            arrays.add_axes(trailing, value, kind)
    values, itemsize = arrays.to_values(data, dtype)
    # Offsets count bytes of the encoded array.
    ends, remainders = np.divmod(arrays.to_array(offsets, WIRE_TYPES[INT64]), itemsize)
    if remainders.any():
        raise ValueError("the offsets of a result's array do not match the size of its elements")
    bounds: list[int] = ends.tolist() or [0]
    if bounds[0] != 0 or bounds[-1] != len(values) or sorted(bounds) != bounds:
        raise ValueError("the offsets of a result's array do not match its length")
    make = types.TensorData._of
    name: types.TensorDtype = "int64" if values.dtype.kind == "i" else "float32"
    if not trailing:
        return [make(values[a:b], name, [b - a]) for a, b in itertools.pairwise(bounds)]
    # Without elements, the number of rows is not known.
    row = math.prod(trailing) or len(values) + 1
    if any((b - a) % row for a, b in itertools.pairwise(bounds)):
        raise ValueError("a result's array does not match its shape")
    return [
        make(values[a:b], name, [(b - a) // row, *trailing]) for a, b in itertools.pairwise(bounds)
    ]
