from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class LossMetrics(dict[str, float | None]):
    """Numbers by name. A name is `<metric>:<reduction>`, with one colon and a `MetricReduction`. A null stands for a
    number
    that is not finite.

    `loss:sum` is the loss. Of the losses that read `logprobs`, a server may report, each as the mean over the examples
    of
    the mean over the sampled targets (those whose `logprobs` or `advantages` are not 0): `kl:mean`, an estimate of the
    divergence of the model from the one that was sampled, exp(p - q) - 1 - (p - q); `entropy:mean`, an estimate of the
    entropy of the one that was sampled, -q; `advantage:mean`; and, of a loss that clips, `clip_fraction:mean`, the
    share of
    targets with an advantage whose ratio is outside the thresholds.
    """

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
