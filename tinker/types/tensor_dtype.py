"""`TensorDtype`: the element types that the API knows."""

from __future__ import annotations

from typing import Literal, TypeAlias

TensorDtype: TypeAlias = Literal["int64", "float32"]
