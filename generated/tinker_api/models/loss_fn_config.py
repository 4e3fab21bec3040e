from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class LossFnConfig(dict[str, float | str]):
    """Settings of a loss: `clip_low_threshold` and `clip_high_threshold` (ppo: 0.8 and 1.2, cispo: 0 and 4),
    `beta` (dro), `kl_coeff` and the string `kl_estimator` (stable_reinforce), the string `loss_id` (custom).
    """

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
