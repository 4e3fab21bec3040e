from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.tensor_dtype import TensorDtype


@_attrs_frozen(eq=False, repr=False)
class TensorData(Schema):
    """An array of numbers, flat and row-major. A sparse array is in CSR format: `shape` is then required, `data` has
    the
    stored values, and all other values are 0 (-1 in `target_prompt_logprobs`).
    """

    data: list[float]
    """ The values; integers if dtype is int64. """

    dtype: TensorDtype
    """ Type of a tensor's values. """

    shape: list[int] | None = None
    """ Size of each dimension; null means one dimension. """

    sparse_crow_indices: list[int] | None = None
    """ CSR row pointers; one more than the number of rows. """

    sparse_col_indices: list[int] | None = None
    """ CSR column indices; one for each value. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "data": self.data,
            "dtype": self.dtype,
        }
        if self.shape is not None:
            result["shape"] = self.shape
        if self.sparse_crow_indices is not None:
            result["sparse_crow_indices"] = self.sparse_crow_indices
        if self.sparse_col_indices is not None:
            result["sparse_col_indices"] = self.sparse_col_indices
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        shape = src.get("shape")
        sparse_crow_indices = src.get("sparse_crow_indices")
        sparse_col_indices = src.get("sparse_col_indices")
        return cls(
            src["data"],
            src["dtype"],
            shape,
            sparse_crow_indices,
            sparse_col_indices,
        )
