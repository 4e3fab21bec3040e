"""`LossFnInputs`: what a loss reads of a datum besides its model input."""

from __future__ import annotations

from typing import TypeAlias

from tinker.types.tensor_data import TensorData

LossFnInputs: TypeAlias = dict[str, TensorData]
