from typing import Literal

TensorDataDtype = Literal["float32", "int64"]

TENSOR_DATA_DTYPE_VALUES: set[TensorDataDtype] = {
    "float32",
    "int64",
}


def check_tensor_data_dtype(value: str) -> TensorDataDtype:
    if value in TENSOR_DATA_DTYPE_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {TENSOR_DATA_DTYPE_VALUES!r}")
