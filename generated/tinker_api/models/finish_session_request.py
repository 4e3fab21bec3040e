from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _attrs_define


@_attrs_define
class FinishSessionRequest:
    """The client is done."""

    reason: FinishReason
    """ How a client's work ended. """

    detail: None | str = None
    """ More for people. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "reason": self.reason.to_dict(),
        }
        if self.detail is not None:
            result["detail"] = self.detail
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        detail = src.get("detail")
        return cls(
            reason=FinishReason.from_dict(src["reason"]),
            detail=detail,
        )


from ..models.finish_reason import FinishReason  # noqa: E402
