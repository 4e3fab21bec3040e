"""`LossFnInputs`: the inputs of a loss besides the model input."""

from __future__ import annotations

from typing import TypeAlias

from tinker.types.tensor_data import TensorData

LossFnInputs: TypeAlias = dict[str, TensorData]
