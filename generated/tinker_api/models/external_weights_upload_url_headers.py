from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class ExternalWeightsUploadURLHeaders(dict[str, str]):
    """Headers to send with the PUT."""

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
