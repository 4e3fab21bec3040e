"""`TensorDtype`: the element types of the API."""

from __future__ import annotations

from tinker_api.models.tensor_dtype import TensorDtype

__all__ = ["TensorDtype"]
