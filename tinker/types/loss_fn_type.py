"""`LossFnType`: the losses that the API names."""

from __future__ import annotations

from tinker_api.models.loss_fn_type import LossFnType

__all__ = ["LossFnType"]
