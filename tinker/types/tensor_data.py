"""`TensorData`: an array of numbers in a request or a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias, get_args

import attrs
import numpy as np

from tinker.types._arrays import (
    Array,
    Int64Array,
    brief,
    is_torch,
    same_array,
    tensor_array,
    torch_to_numpy,
)
from tinker.types.tensor_dtype import TensorDtype
from tinker_api.model import Model

if TYPE_CHECKING:
    import torch

Numbers: TypeAlias = Sequence[Any] | Array
"""Numbers as users hand them over: a list, nested lists, a numpy array, a torch tensor."""

_DTYPES = get_args(TensorDtype)
_INT64, _FLOAT32 = np.dtype(np.int64), np.dtype(np.float32)
_by_value = attrs.cmp_using(eq=same_array, class_name="Array")


@attrs.define(eq=False, repr=False)
class _Fields(Model):
    """The fields of a `TensorData`, not frozen: to make one takes half the time. See `TensorData._of`."""

    values_np: Array = attrs.field(alias="data", eq=_by_value)
    """The values as a flat array; for a sparse array, the stored ones."""
    dtype: TensorDtype = attrs.field(default=None)
    shape: list[int] = attrs.field(default=None)
    crow_indices_np: Int64Array | None = attrs.field(
        alias="sparse_crow_indices", default=None, eq=_by_value
    )
    col_indices_np: Int64Array | None = attrs.field(
        alias="sparse_col_indices", default=None, eq=_by_value
    )


@attrs.frozen(init=False, repr=False)
class TensorData(_Fields):
    """An array of int64 or float32, dense or, with two axes, compressed by rows (CSR).

    A C-contiguous array of int64 or float32 is kept as it is: it shares memory with what it was made
    from, so do not write into that before the request is sent. Everything else is converted once,
    here. NaN and infinities are kept: results may have them, and requests too in inputs that no known loss reads.

    Two are equal if dtype, shape, layout and values are; a NaN equals a NaN.

    Args:
        data: The values, row by row: a list, nested lists, a numpy array or a torch tensor. For a
            sparse array, the stored values.
        dtype: `"int64"` or `"float32"`; by default int64 for integers and float32 for floats.
        shape: By default that of `data`.
        sparse_crow_indices: For a sparse array: where each row begins in `data`, and the end;
            length rows + 1.
        sparse_col_indices: For a sparse array: the column of each value in `data`.

    Raises:
        TypeError: `data` is not a sequence of numbers.
        ValueError: The values are ragged or of another type (bool, complex, text, object), or do
            not fit the dtype, the shape or the indices.
    """

    __hash__ = None  # type: ignore[assignment]  # the memory may be shared, and so may change

    def __init__(
        self,
        data: Numbers | torch.Tensor,
        dtype: TensorDtype | None = None,
        shape: Sequence[int] | None = None,
        sparse_crow_indices: Numbers | None = None,
        sparse_col_indices: Numbers | None = None,
    ) -> None:
        if dtype is not None and dtype not in _DTYPES:
            raise ValueError(f"dtype is {dtype!r}; it must be 'int64' or 'float32'.")
        array = tensor_array(data, dtype)
        crow = col = None
        if sparse_crow_indices is not None or sparse_col_indices is not None:
            crow, col = _indices(array, shape, sparse_crow_indices, sparse_col_indices)
        elif shape is not None and math.prod(shape) != array.size:
            raise ValueError(
                f"shape is {list(shape)}, which does not match its {array.size} values."
            )
        elif shape is not None and any(size < 0 for size in shape):
            raise ValueError(f"shape is {list(shape)}; its elements must not be negative.")
        self.__attrs_init__(
            array.reshape(-1),
            "float32" if array.dtype.kind == "f" else "int64",
            list(array.shape if shape is None else shape),
            crow,
            col,
        )

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Build from a mapping of field names. In `data` of floats, None is NaN, as in JSON."""
        if isinstance(obj, Mapping) and obj.get("dtype") == "float32":
            data = obj.get("data")
            if isinstance(data, list) and None in data:
                obj = {**obj, "data": [math.nan if value is None else value for value in data]}
        return super().model_validate(obj)

    @classmethod
    def _of(cls, values: Array, dtype: TensorDtype, shape: list[int]) -> Self:
        """Build from a flat array of this type and shape, without checks and copies. Not for derived classes."""
        made: Self = _Fields(values, dtype, shape)  # type: ignore[assignment]  # until the next line
        made.__class__ = cls
        return made

    # ---- from other libraries ---------------------------------------------------------------

    @classmethod
    def from_numpy(cls, array: Array) -> Self:
        """Integers become int64, floats float32; arrays of these share their memory."""
        if (
            cls is TensorData
            and type(array) is np.ndarray
            and array.ndim == 1
            and array.flags.c_contiguous
        ):
            # The usual case, in half the time: batches have thousands of arrays.
            if array.dtype == _INT64:
                return cls._of(array.view(), "int64", [len(array)])
            if array.dtype == _FLOAT32:
                return cls._of(array.view(), "float32", [len(array)])
        return cls(array)

    @classmethod
    def from_torch(cls, tensor: torch.Tensor) -> Self:
        """Integers become int64, floats float32; gradients are detached.

        A contiguous CPU tensor of these types shares its memory. One in CSR layout stays sparse.
        """
        if tensor.layout in _sparse_layouts():
            tensor = tensor.to_sparse_csr()
            return cls(
                tensor.values(),
                shape=list(tensor.shape),
                sparse_crow_indices=torch_to_numpy(tensor.crow_indices()),
                sparse_col_indices=torch_to_numpy(tensor.col_indices()),
            )
        return cls(tensor)

    @classmethod
    def from_torch_sparse(cls, tensor: torch.Tensor, pad_value: int = 0) -> Self:
        """Like `from_torch`, but without the elements equal to `pad_value`, where that is smaller.

        A tensor with two axes becomes sparse if rows + 1 + 2 · nnz < rows · columns, nnz being the
        number of elements that differ from `pad_value`. The pad value itself is not sent: it is 0 for
        `target_tokens` and `weights`, -1 for `target_prompt_logprobs`.
        """
        if tensor.ndim != 2 or tensor.layout in _sparse_layouts():
            return cls.from_torch(tensor)
        array = tensor_array(tensor, None)
        kept = array != pad_value
        counts = kept.sum(axis=1)
        rows, columns = array.shape
        if rows + 1 + 2 * int(counts.sum()) >= rows * columns:
            return cls(array)
        return cls(
            array[kept],
            shape=[rows, columns],
            sparse_crow_indices=np.concatenate([[0], np.cumsum(counts)]),
            sparse_col_indices=np.nonzero(kept)[1],
        )

    # ---- to other libraries -----------------------------------------------------------------

    def to_numpy(self, pad_value: int = 0) -> Array:
        """The array in its shape; for a sparse one, with `pad_value` where nothing is stored.

        A dense array shares memory with this object.
        """
        if self.crow_indices_np is None:
            return self.values_np.reshape(self.shape)
        dense = np.full(self.shape, pad_value, self.values_np.dtype)
        rows = np.repeat(np.arange(self.shape[0]), np.diff(self.crow_indices_np))
        dense[rows, self.col_indices_np] = self.values_np
        return dense

    def to_torch(self, pad_value: int = 0) -> torch.Tensor:
        """A dense tensor; shares memory as `to_numpy` does, unless that is read-only.

        Raises:
            ImportError: torch is not installed.
        """
        try:
            import torch  # noqa: PLC0415  # optional, and slow to import
        except ImportError:
            raise ImportError("TensorData.to_torch needs torch: pip install torch.") from None
        array = self.to_numpy(pad_value)
        return torch.from_numpy(array if array.flags.writeable else array.copy())

    def tolist(self, pad_value: int = 0) -> list[Any]:
        """Nested lists of this shape; for a sparse array, with `pad_value` in the gaps."""
        nested: list[Any] = self.to_numpy(pad_value).tolist()
        return nested

    # ---- fields as lists -------------------------------------------------------------------

    @property
    def data(self) -> list[Any]:
        """The values as a flat list; for a sparse array, the stored ones."""
        values: list[Any] = self.values_np.tolist()
        return values

    @property
    def sparse_crow_indices(self) -> list[int] | None:
        """For a sparse array: where each row begins in `data`, and the end."""
        return None if self.crow_indices_np is None else self.crow_indices_np.tolist()

    @property
    def sparse_col_indices(self) -> list[int] | None:
        """For a sparse array: the column of each value in `data`."""
        return None if self.col_indices_np is None else self.col_indices_np.tolist()

    # ---- properties ------------------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Bytes of the values, and of the indices if sparse (8 each)."""
        size = self.values_np.nbytes
        if self.crow_indices_np is not None and self.col_indices_np is not None:
            size += self.crow_indices_np.nbytes + self.col_indices_np.nbytes
        return size

    def is_finite(self) -> bool:
        """Whether all values are finite."""
        # Like `.all()` in half the time: batches have thousands of arrays.
        return self.dtype == "int64" or False not in np.isfinite(self.values_np).tobytes()

    def _first(self, wrong: Array) -> str:
        """The first wrong value, for a message: `data[3] is nan`."""
        position = int(wrong.argmax())
        return f"data[{position}] is {self.values_np[position].item()}"

    def __repr__(self) -> str:
        layout = "" if self.crow_indices_np is None else ", layout=csr"
        values = brief(self.values_np)
        return f"TensorData(data={values}, dtype={self.dtype!r}, shape={self.shape}{layout})"


def _sparse_layouts() -> tuple[Any, ...]:
    import torch  # noqa: PLC0415  # the caller has a tensor, so it is loaded

    return (
        torch.sparse_coo,
        torch.sparse_csr,
        torch.sparse_csc,
        torch.sparse_bsr,
        torch.sparse_bsc,
    )


def _indices(
    values: Array,
    shape: Sequence[int] | None,
    sparse_crow_indices: Numbers | None,
    sparse_col_indices: Numbers | None,
) -> tuple[Int64Array, Int64Array]:
    """The indices of a sparse array, checked against its values and shape."""
    if sparse_crow_indices is None or sparse_col_indices is None:
        raise ValueError("a sparse array needs both sparse_crow_indices and sparse_col_indices.")
    if shape is None or len(shape) != 2:
        raise ValueError(f"a sparse array needs a shape of two axes, not {shape}.")
    rows, columns = shape
    if rows < 0 or columns < 0:
        raise ValueError(f"shape is {list(shape)}; its elements must not be negative.")
    crow = tensor_array(sparse_crow_indices, "int64", "sparse_crow_indices").reshape(-1)
    col = tensor_array(sparse_col_indices, "int64", "sparse_col_indices").reshape(-1)
    if len(crow) != rows + 1 or crow[0] != 0 or crow[-1] != len(col) or (np.diff(crow) < 0).any():
        raise ValueError(
            f"sparse_crow_indices must be {rows + 1} numbers for {rows} rows, increasing from 0 to "
            f"the {len(col)} of sparse_col_indices; it is {brief(crow)}."
        )
    if len(col) != values.size:
        raise ValueError(f"sparse_col_indices has {len(col)} elements for {values.size} values.")
    if len(col) and not 0 <= col.min() <= col.max() < columns:
        raise ValueError(
            f"sparse_col_indices must be from 0 to {columns - 1}; it is {brief(col)}, "
            f"with {col.min()} the lowest and {col.max()} the highest."
        )
    return crow, col


def to_tensor_data(value: Any) -> TensorData:
    """A TensorData as it is, or one made from a mapping, a tensor, an array or a list."""
    if isinstance(value, TensorData):
        return value
    if is_torch(value):
        return TensorData.from_torch(value)
    if isinstance(value, dict):
        return TensorData.model_validate(value)
    return TensorData(value)
