from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class Metrics(dict[str, float]):
    """Numbers by name. Names of forward_backward metrics are `<name>:<reduction>` with one colon; the reductions
    mean, sum, min, max, slack, unique, hash2 say how chunks of one call are put together.
    """

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
