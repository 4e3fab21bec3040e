"""TensorData: what becomes of lists, arrays and tensors, and what is refused."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinker.types import TensorData

SPARSE = TensorData([5, 6, 7], "float32", [2, 3], [0, 2, 3], [0, 2, 1])


# ---- dense ----------------------------------------------------------------------------------


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_integers_become_int64(values: list[int]) -> None:
    tensor = TensorData(values)
    assert (tensor.dtype, tensor.shape, tensor.data) == ("int64", [len(values)], values)


@given(st.lists(st.floats(width=32), min_size=1))
def test_floats_become_float32(values: list[float]) -> None:
    tensor = TensorData(values)
    assert (tensor.dtype, tensor.shape) == ("float32", [len(values)])
    np.testing.assert_array_equal(tensor.data, values)
    assert tensor.is_finite() == all(math.isfinite(value) for value in values)


@given(
    hnp.arrays(
        st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u4", "f2", "f4", ">i4", ">f4"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_arrays_keep_shape_and_values(array: np.ndarray[Any, Any]) -> None:
    for layout in (array, array.T):
        tensor = TensorData.from_numpy(layout)
        assert tensor.dtype == ("float32" if array.dtype.kind == "f" else "int64")
        assert tensor.shape == list(layout.shape)
        np.testing.assert_array_equal(tensor.to_numpy(), layout)
        np.testing.assert_array_equal(tensor.tolist(), layout.tolist())
        assert tensor.values_np.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_arrays_of_the_apis_types_share_their_memory(dtype: Any) -> None:
    array = np.zeros((2, 3), dtype)
    assert np.shares_memory(TensorData.from_numpy(array).to_numpy(), array)
    assert not np.shares_memory(TensorData.from_numpy(array.T).to_numpy(), array)


def test_arrays_become_tensors_that_cannot_be_changed() -> None:
    """However short the way, so that a copy, a pickle and a derived class are what they would be otherwise."""
    tensor = TensorData.from_numpy(np.arange(3, dtype=np.float32))
    with pytest.raises(AttributeError):
        tensor.shape = [1, 3]  # type: ignore[misc]
    assert type(tensor) is TensorData
    assert tensor == TensorData([0.0, 1.0, 2.0]) == copy.copy(tensor)
    assert pickle.loads(pickle.dumps(tensor)) == tensor

    class Weights(TensorData):
        pass

    assert type(Weights.from_numpy(tensor.to_numpy())) is Weights


def test_arrays_made_from_lists_can_be_written_to() -> None:
    tensor = TensorData([1.0, 2.0])
    tensor.to_numpy()[0] = 5.0
    assert tensor.data == [5.0, 2.0]


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        ([1, 2], "float32", [1.0, 2.0]),
        ([True, False], "float32", [1.0, 0.0]),
        ([1, 2.5], None, [1.0, 2.5]),
        ((1, 2), None, [1, 2]),
        (range(2), None, [0, 1]),
        (np.array([1, 2]), "float32", [1.0, 2.0]),
        (np.array([1.0, 2.0]), "int64", [1, 2]),
        (np.array([1.5], np.float64), None, [1.5]),
        ([], "int64", []),
        ([float("nan"), float("inf")], None, [float("nan"), float("inf")]),
    ],
)
def test_the_dtype_decides(data: Any, dtype: Any, expected: list[Any]) -> None:
    tensor = TensorData(data, dtype)
    np.testing.assert_array_equal(tensor.data, expected)
    assert [type(value) for value in tensor.data] == [type(value) for value in expected]


def test_nested_lists_and_shapes() -> None:
    nested = TensorData([[1, 2, 3], [4, 5, 6]])
    assert nested.shape == [2, 3]
    assert nested == TensorData([1, 2, 3, 4, 5, 6], "int64", [2, 3])
    assert nested.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert TensorData([np.zeros(3), np.ones(3)]).shape == [2, 3]
    assert TensorData([[], []], "int64").shape == [2, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1, 2], [3]],), "must be a rectangle of numbers"),
        (([[1, None]],), "must be a rectangle of numbers"),
        (([1, None],), r"data\[1\] is None"),
        (([1, "2"], "int64"), r"data\[1\] is '2'"),
        (([1.5], "int64"), r"data\[0\] is 1\.5 \(float\); it must be an integer"),
        (([1, 2**63], "int64"), r"data\[1\] is 9223372036854775808"),
        (([True],), r"data\[0\] is True; give the dtype"),
        (([],), "data is empty, so its dtype must be given"),
        ((np.array([True]),), "array of bool; it must be of integers .* or floats"),
        ((np.array([1j]),), "array of complex128"),
        ((np.array(["1"]),), "array of <U1"),
        ((np.array([None]),), "array of object"),
        ((np.array([2**63], np.uint64),), r"data\[0\] is 9223372036854775808"),
        ((np.array([1.0, 0.5]), "int64"), r"data\[1\] is 0\.5"),
        ((np.array([np.nan]), "int64"), r"data\[0\] is nan"),
        (([1, 2, 3], "int64", [2, 2]), r"shape is \[2, 2\], which does not match its 3 values"),
        (([1, 2], "int64", [-1, -2]), "must not be negative"),
        (([1], "float64"), "dtype is 'float64'; it must be 'int64' or 'float32'"),
    ],
)
def test_wrong_numbers_are_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TensorData(*arguments)


@pytest.mark.parametrize("data", [None, 5, "12", b"12", {1}])
def test_what_is_not_a_sequence_is_rejected(data: Any) -> None:
    with pytest.raises(TypeError, match="it must be a list, a numpy array or a torch tensor"):
        TensorData(data, "int64")


# ---- sparse ---------------------------------------------------------------------------------


def test_a_sparse_array_fills_its_gaps_with_the_pad_value() -> None:
    assert SPARSE.tolist() == [[5, 0, 6], [0, 7, 0]]
    assert SPARSE.to_numpy(pad_value=-1).tolist() == [[5, -1, 6], [-1, 7, -1]]
    assert SPARSE.data == [5, 6, 7]
    assert SPARSE.sparse_crow_indices == [0, 2, 3]
    assert SPARSE.sparse_col_indices == [0, 2, 1]
    assert SPARSE.nbytes == 3 * 4 + 6 * 8
    assert SPARSE.is_finite()


@pytest.mark.parametrize(
    ("shape", "crow", "col", "message"),
    [
        ([2, 3], [0, 2, 3], None, "needs both"),
        ([2, 3], None, [0, 2, 1], "needs both"),
        (None, [0, 2, 3], [0, 2, 1], "a shape of two axes, not None"),
        ([6], [0, 2, 3], [0, 2, 1], "a shape of two axes"),
        ([3, 3], [0, 2, 3], [0, 2, 1], "must be 4 numbers for 3 rows"),
        ([-1, 3], [], [0, 2, 1], "must not be negative"),
        ([2, -3], [0, 2, 3], [0, 2, 1], "must not be negative"),
        ([2, 3], [1, 2, 3], [0, 2, 1], "increasing from 0 to the 3"),
        ([2, 3], [0, 4, 3], [0, 2, 1], "increasing from 0 to the 3"),
        ([2, 3], [0, 2, 2], [0, 2], "2 elements for 3 values"),
        ([2, 3], [0, 2, 3], [0, 3, 1], "must be from 0 to 2"),
    ],
)
def test_indices_that_do_not_fit_are_refused(shape: Any, crow: Any, col: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TensorData([5, 6, 7], "float32", shape, crow, col)


# ---- as values ------------------------------------------------------------------------------


def test_sizes_in_bytes() -> None:
    assert TensorData([1, 2, 3]).nbytes == 3 * 8
    assert TensorData([1.0, 2.0, 3.0]).nbytes == 3 * 4
    sparse = TensorData(
        [1.0, 2.0], shape=[2, 3], sparse_crow_indices=[0, 1, 2], sparse_col_indices=[0, 2]
    )
    assert sparse.nbytes == 2 * 4 + 3 * 8 + 2 * 8


def test_equality_is_by_value_and_a_nan_equals_a_nan() -> None:
    assert TensorData([1, 2]) == TensorData(np.array([1, 2], np.int32))
    assert TensorData([float("nan")]) == TensorData([float("nan")])
    assert TensorData([1]) != TensorData([1.0])
    assert TensorData([1, 2]) != TensorData([1, 3])
    assert TensorData([1, 2]) != TensorData([[1, 2]])
    assert TensorData(SPARSE.to_numpy()) != SPARSE
    assert TensorData([1]) != object()
    with pytest.raises(TypeError, match="unhashable"):
        hash(TensorData([1]))


@pytest.mark.parametrize("tensor", [TensorData([1.5, 2.5]), TensorData([[1], [2]]), SPARSE])
def test_copies_and_dumps_equal_the_original(tensor: TensorData) -> None:
    assert copy.deepcopy(tensor) == copy.copy(tensor) == tensor
    assert pickle.loads(pickle.dumps(tensor)) == tensor
    assert TensorData.model_validate(tensor.model_dump()) == tensor
    assert TensorData.model_validate_json(tensor.model_dump_json()) == tensor
    with pytest.raises(AttributeError):
        tensor.shape = [1]  # type: ignore[misc]


def test_null_is_nan_where_floats_are_read_from_json() -> None:
    tensor = TensorData([1.0, float("nan")])
    assert TensorData.model_validate_json(tensor.model_dump_json()) == tensor
    with pytest.raises(ValueError, match=r"data\[0\] is None"):
        TensorData.model_validate({"data": [None], "dtype": "int64"})
    with pytest.raises(ValueError, match="TensorData needs 'data'"):
        TensorData.model_validate({"dtype": "float32"})


def test_reprs_are_short() -> None:
    assert repr(TensorData([[1, 2]])) == "TensorData(data=[1, 2], dtype='int64', shape=[1, 2])"
    assert repr(TensorData(range(4096))) == (
        "TensorData(data=[0, 1, 2, 3, 4, …, 4095], dtype='int64', shape=[4096])"
    )
    assert repr(SPARSE).endswith("dtype='float32', shape=[2, 3], layout=csr)")


# ---- torch ----------------------------------------------------------------------------------


@pytest.mark.torch
class TestTorch:
    @pytest.fixture
    def torch(self) -> Any:
        return pytest.importorskip("torch")

    def test_dtypes(self, torch: Any) -> None:
        for name in ("int8", "int16", "int32", "int64", "uint8"):
            assert TensorData.from_torch(torch.tensor([1], dtype=getattr(torch, name))).data == [1]
        for name in ("bfloat16", "float16", "float32", "float64"):
            tensor = torch.tensor([1.5], dtype=getattr(torch, name))
            assert TensorData.from_torch(tensor) == TensorData([1.5])
        for tensor in (torch.tensor([True]), torch.tensor([1j])):
            with pytest.raises(ValueError, match="it must be of integers"):
                TensorData.from_torch(tensor)

    def test_any_tensor(self, torch: Any) -> None:
        tensor = torch.arange(6.0).reshape(2, 3)
        assert TensorData.from_torch(tensor.T).tolist() == tensor.T.tolist()
        assert TensorData.from_torch(tensor.requires_grad_()).shape == [2, 3]
        assert TensorData(tensor) == TensorData.from_torch(tensor)
        assert TensorData.from_torch(torch.tensor(5)).shape == []

    def test_memory_is_shared_both_ways_unless_read_only(self, torch: Any) -> None:
        tensor = torch.zeros(3)
        back = TensorData.from_torch(tensor).to_torch()
        back[0] = 5.0
        assert tensor[0] == 5.0
        array = np.zeros(3, np.float32)
        array.flags.writeable = False
        TensorData.from_numpy(array).to_torch()[0] = 5.0
        assert array[0] == 0.0

    def test_sparse_only_where_that_is_smaller(self, torch: Any) -> None:
        # 4 rows of 5 are 20 elements; as CSR 5 + 2 · nnz: 19 with 7, 21 with 8.
        for stored, layout in ((7, "csr"), (8, None)):
            tensor = torch.zeros(20)
            tensor[:stored] = 3.0
            tensor = tensor.reshape(4, 5)
            sent = TensorData.from_torch_sparse(tensor)
            assert (sent.sparse_crow_indices is not None) == (layout == "csr")
            assert sent.to_torch().equal(tensor)
        # The bound itself is not smaller: 2 + 2 · 1 = 4 for a row of 4.
        assert TensorData.from_torch_sparse(torch.eye(4)[:1]).sparse_crow_indices is None

    def test_sparse_with_another_pad_value(self, torch: Any) -> None:
        tensor = torch.full((9, 9), -1)
        tensor[2, 3] = 0
        sent = TensorData.from_torch_sparse(tensor, pad_value=-1)
        assert sent.data == [0]
        assert sent.to_torch(pad_value=-1).equal(tensor)
        assert sent.to_numpy(pad_value=-1).tolist() == sent.tolist(pad_value=-1)

    def test_sparse_of_one_axis_is_dense(self, torch: Any) -> None:
        assert TensorData.from_torch_sparse(torch.zeros(100)).sparse_crow_indices is None

    def test_csr_stays_csr(self, torch: Any) -> None:
        tensor = torch.eye(9)
        sent = TensorData.from_torch(tensor.to_sparse_csr())
        assert sent.data == [1.0] * 9
        assert sent.to_torch().equal(tensor)
