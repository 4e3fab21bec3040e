"""`LossFnType`: the losses that the API names."""

from __future__ import annotations

from typing import Literal, TypeAlias

LossFnType: TypeAlias = Literal[
    "cross_entropy",
    "importance_sampling",
    "ppo",
    "cispo",
    "dro",
    "gspo",
    "stable_reinforce",
    "custom",
]
