"""`LossFnOutput`: the output of a loss for one datum."""

from __future__ import annotations

from typing import TypeAlias

from tinker.types.tensor_data import TensorData

LossFnOutput: TypeAlias = dict[str, TensorData]
"""For example `logprobs`, the log-probability of each target token, in the targets' shape."""
