from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class AnthropicErrorDetailDetailsType0(dict[str, Any]):
    """For programs: `error_code`, such as `thread_unsupported_request`."""

    def to_dict(self) -> dict[str, Any]:
        return self

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(src)
