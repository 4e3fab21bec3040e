from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _attrs_define

from ..models.finish_reason_type import FinishReasonType


@_attrs_define
class FinishReason:
    """How a client's work ended."""

    type: FinishReasonType
    """ Success, an exception, or Ctrl-C. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            type=src["type"],
        )
