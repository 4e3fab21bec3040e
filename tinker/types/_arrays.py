"""Converts users' numbers to numpy arrays: once, strictly, without a Python loop.

Python lists are packed by `struct`, which is faster than `np.asarray` and rejects what numpy would
silently convert: 1.5 for an integer, "1" for a number, 2**40 for an int32.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from tinker.types.tensor_dtype import TensorDtype

# As `numpy.typing.NDArray`, whose import takes a millisecond.
Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]
Int32Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.int32]]
Int64Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.int64]]
Float32Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.float32]]

_ALLOWED = {
    "int32": "a token id: an integer from -2**31 to 2**31 - 1",
    "int64": "an integer from -2**63 to 2**63 - 1",
    "float32": "a number in the range of float32",
}
_CODES = {"int32": "i", "int64": "q", "float32": "f"}
# Exceptions of packing: struct.error, or those of an element's own conversion.
_ELEMENT_ERRORS = (struct.error, TypeError, ValueError, OverflowError)


# ---- tokens ---------------------------------------------------------------------------------


def token_array(tokens: object, name: str = "tokens") -> Int32Array:
    """Copy token ids to a read-only int32 array, shape [n].

    Raises:
        TypeError: `tokens` is not a sequence of numbers.
        ValueError: An element is not a token id; the message has its position and value.
    """
    if not isinstance(tokens, (list, np.ndarray)):
        tokens = _list_or_array(tokens, name, "a list or an array of token ids")
    if isinstance(tokens, np.ndarray):
        array = _tokens_of_array(tokens, name)
        array.flags.writeable = False
        return array
    array = np.frombuffer(_pack(tokens, "int32", name), np.int32)
    # A bool packs as 0 or 1, so only those positions need a look; the least element tells in half the time whether there are any.
    if len(array) and array.item(array.argmin()) < 2:
        for position in (array < 2).nonzero()[0].tolist():
            if isinstance(tokens[position], bool):
                raise _bad_element(name, position, tokens[position], "int32")
    return array


def _tokens_of_array(array: Array, name: str) -> Int32Array:
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{name} is an array of {array.dtype}; token ids must be integers.")
    if array.ndim != 1:
        raise ValueError(f"{name} is an array of shape {list(array.shape)}; it must have one axis.")
    ids = array.astype(np.int32)
    fits = ids == array
    if not fits.all():
        position = int(fits.argmin())
        raise _bad_element(name, position, array[position].item(), "int32")
    return ids


# ---- tensors --------------------------------------------------------------------------------


def tensor_array(data: object, dtype: TensorDtype | None, name: str = "data") -> Array:
    """Convert numbers to a C-contiguous int64 or float32 array of the same shape.

    An array of this kind is returned as it is and shares its memory. `dtype` None follows the
    data: integers become int64, floats float32.

    Raises:
        TypeError: `data` is not a sequence of numbers.
        ValueError: It is ragged, of another type (bool, complex, string, object), or does not fit.
    """
    if not isinstance(data, (list, np.ndarray)):
        data = _list_or_array(data, name, "a list, a numpy array or a torch tensor")
    if isinstance(data, np.ndarray):
        return _tensor_of_array(data, dtype, name)
    if len(data) == 0:
        if dtype is None:
            raise ValueError(f"{name} is empty, so its dtype must be given: 'int64' or 'float32'.")
        return np.empty(0, dtype)
    if isinstance(data[0], (list, tuple, np.ndarray)):
        return _tensor_of_array(_rectangle(data, name), dtype, name)
    if dtype is None:
        dtype = _dtype_of_list(data, name)
    # A bytearray, so that the array may be written to.
    return np.frombuffer(bytearray(_pack(data, dtype, name)), dtype)


def _tensor_of_array(array: Array, dtype: TensorDtype | None, name: str) -> Array:
    kind = array.dtype.kind
    if kind not in "iuf":
        raise ValueError(
            f"{name} is an array of {array.dtype}; it must be of integers (sent as int64) "
            "or floats (sent as float32)."
        )
    if dtype is None:
        dtype = "float32" if kind == "f" else "int64"
    if dtype == "int64" and (kind == "f" or array.dtype == np.uint64):
        _check_fits_int64(array, name)
    return np.asarray(array, dtype=dtype, order="C")


def _check_fits_int64(array: Array, name: str) -> None:
    if array.dtype.kind == "f":
        fits = (np.trunc(array) == array) & (np.abs(array) < 2.0**63)
    else:
        fits = array <= np.iinfo(np.int64).max
    if not fits.all():
        position = int(np.flatnonzero(~fits)[0])
        raise _bad_element(name, position, array.reshape(-1)[position].item(), "int64")


def _rectangle(rows: Sequence[Any], name: str) -> Array:
    try:
        array = np.array(rows)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind in "OUS":
        raise ValueError(
            f"{name} must be a rectangle of numbers: nested lists of one length, "
            "without None or text in them."
        )
    return array


def _dtype_of_list(values: Sequence[Any], name: str) -> TensorDtype:
    for position, value in enumerate(values):
        if isinstance(value, bool | np.bool_):
            raise ValueError(
                f"{name}[{position}] is {value!r}; give the dtype, 'int64' or 'float32', to send bools."
            )
        if not hasattr(value, "__index__"):
            return "float32"
    return "int64"


# ---- shared ---------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _packer(length: int, dtype: str) -> Callable[..., bytes]:
    """`struct.pack` with its format in front of the values would copy them once more, which takes a fifth of its time."""
    return struct.Struct(f"{length}{_CODES[dtype]}").pack


def _pack(values: Sequence[Any], dtype: str, name: str) -> bytes:
    try:
        return _packer(len(values), dtype)(*values)
    except _ELEMENT_ERRORS:
        raise _first_bad_element(values, dtype, name) from None


def _first_bad_element(values: Sequence[Any], dtype: str, name: str) -> ValueError:
    for position, value in enumerate(values):
        try:
            struct.pack(_CODES[dtype], value)
        except _ELEMENT_ERRORS:
            return _bad_element(name, position, value, dtype)
    return ValueError(f"{name} changed while it was read.")


def _bad_element(name: str, position: int, value: object, dtype: str) -> ValueError:
    return ValueError(
        f"{name}[{position}] is {value!r} ({type(value).__name__}); it must be {_ALLOWED[dtype]}."
    )


def is_torch(value: object) -> bool:
    """Whether `value` is a torch tensor. Does not import torch: whoever has a tensor has imported it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _list_or_array(value: object, name: str, allowed: str) -> Sequence[Any] | Array:
    """Return sequences as they are; convert torch tensors, and objects that numpy can read, to arrays."""
    if is_torch(value):
        return torch_to_numpy(value)
    if hasattr(value, "__array__"):
        return np.asarray(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return value
    raise TypeError(f"{name} is of type {type(value).__name__}; it must be {allowed}.")


def torch_to_numpy(tensor: Any) -> Array:
    """A dense torch tensor as an array, sharing memory where the device and dtype allow it."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()  # numpy has no bfloat16
    array: Array = tensor.resolve_conj().resolve_neg().numpy()
    return array


def same_array(a: Array | None, b: Array | None) -> bool:
    """Equal in type, shape and values; a NaN equals a NaN, so that a copy equals its original."""
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


def brief(values: Array | Sequence[Any] | None, shown: int = 6) -> str:
    """A short repr of many numbers: `[1, 2, 3, 4, 5, …, 9]`."""
    if values is None:
        return "None"
    if len(values) <= shown:
        return str(list(values[:]) if not isinstance(values, np.ndarray) else values.tolist())
    head = values[: shown - 1]
    head = head.tolist() if isinstance(head, np.ndarray) else list(head)
    last = values[-1:]
    last = last.tolist() if isinstance(last, np.ndarray) else list(last)
    return f"[{', '.join(map(str, head))}, …, {last[0]}]"
