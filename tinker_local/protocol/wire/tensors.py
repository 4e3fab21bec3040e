"""Arrays, dense and sparse (CSR): from and to both encodings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinker_local.engine.base import Array
from tinker_local.errors import OperationFailed
from tinker_local.protocol.wire.limits import MAX_BODY_BYTES
from tinker_proto import tinker_pb2 as pb

_MAX_DIMENSIONS = 8


def from_json(name: str, tensor: Mapping[str, Any]) -> Array:
    values, indices = values_from_json(name, tensor), indices_from_json(name, tensor)
    if indices is None:
        return shaped(name, values, tensor.get("shape"))
    return _dense(name, values, *indices, tensor["shape"])


def values_from_json(name: str, tensor: Mapping[str, Any]) -> Array:
    values = np.asarray(tensor["data"])
    if tensor["dtype"] != "int64":
        with np.errstate(over="ignore"):
            return values.astype(np.float32)
    if values.dtype.kind == "f" and not np.array_equal(values, values // 1):
        raise OperationFailed(f"{name} is int64, but has numbers that are not integers.")
    if (
        values.dtype.kind != "i"
        and values.size
        and not -(2**63) <= values.min() <= values.max() < 2**63
    ):
        raise OperationFailed(f"{name} is int64, but has numbers that do not fit into 64 bits.")
    return values.astype(np.int64)


def indices_from_json(
    name: str, tensor: Mapping[str, Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Row pointers and columns of a sparse array; None for a dense one."""
    crow, col = tensor.get("sparse_crow_indices"), tensor.get("sparse_col_indices")
    if crow is None and col is None:
        return None
    if crow is None or col is None or tensor.get("shape") is None:
        raise OperationFailed(f"{name} is sparse: it needs both index arrays and a shape.")
    try:
        return np.asarray(crow, np.int64), np.asarray(col, np.int64)
    except OverflowError:
        raise OperationFailed(f"{name} is sparse, but has an invalid index.") from None


def shaped(name: str, values: Array, shape: Iterable[int] | None) -> Array:
    if shape is None:
        return values
    wanted = sizes_of(name, shape)
    if math.prod(wanted) != values.size:
        raise OperationFailed(
            f"{name} has {values.size} values, which do not fit its shape {wanted}."
        )
    return values.reshape(wanted)


def sizes_of(name: str, shape: Iterable[int]) -> list[int]:
    sizes = [int(size) for size in shape]
    if len(sizes) > _MAX_DIMENSIONS or not all(0 <= size <= MAX_BODY_BYTES for size in sizes):
        raise OperationFailed(
            f"{name} has the shape {sizes}; at most {_MAX_DIMENSIONS} sizes from 0 to {MAX_BODY_BYTES} are allowed."
        )
    return sizes


def _dense(
    name: str,
    values: Array,
    crow: npt.NDArray[np.int64],
    col: npt.NDArray[np.int64],
    shape: Iterable[int],
) -> Array:
    sizes = sizes_of(name, shape)
    check_indices(name, values, crow, col, sizes)
    if math.prod(sizes) > MAX_BODY_BYTES // 4:
        raise OperationFailed(f"{name} is sparse, but its shape {sizes} is too large.")
    dense = np.zeros(sizes, values.dtype)
    dense[np.repeat(np.arange(sizes[0]), np.diff(crow)), col] = values
    return dense


def check_indices(
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
            f"{name} is sparse, but its index arrays do not match its shape {sizes}."
        )


_DTYPES = {pb.DTYPE_FLOAT32: "<f4", pb.DTYPE_INT64: "<i8", pb.DTYPE_INT32: "<i4"}


def from_protobuf(name: str, tensor: pb.Tensor) -> Array:
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        raise OperationFailed(f"{name} has an element type that is not float32, int64 or int32.")
    if tensor.WhichOneof("encoding") == "sparse_csr":
        csr = tensor.sparse_csr
        values = array_of_bytes(name, csr.values, dtype)
        crow, col = (
            array_of_bytes(name, csr.crow_indices, "<i8"),
            array_of_bytes(name, csr.col_indices, "<i8"),
        )
        dense = _dense(name, values, crow, col, tensor.shape)
    else:
        dense = shaped(name, array_of_bytes(name, tensor.dense, dtype), tensor.shape or None)
    return dense.astype(np.int64) if dtype == "<i4" else dense


def array_of_bytes(name: str, content: bytes, dtype: str) -> npt.NDArray[Any]:
    if len(content) % np.dtype(dtype).itemsize:
        raise OperationFailed(
            f"{name} has {len(content)} bytes, which is not a multiple of the size of an element."
        )
    return np.frombuffer(content, dtype)


def to_protobuf(
    values: Array,
    shape: Iterable[int],
    indices: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
) -> pb.Tensor:
    """Encode an array of int64 or float32; a sparse one if row pointers and columns are given."""
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


def to_json(tensor: pb.Tensor) -> dict[str, Any]:
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
