from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class LossMetrics(dict[str, float | None]):
    """Numbers by name. A name is `<metric>:<reduction>`, with one colon and a `MetricReduction`. A null stands for a
    number
    that is not finite.
    """

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
