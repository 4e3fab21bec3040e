from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SessionCancelled(Schema):
    """The session was cancelled, or its heartbeats stopped."""

    type: Literal["cancelled"] = "cancelled"
    """ Type tag, always `cancelled`. """

    detail: None | str = None
    """ More about the reason, in a sentence. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
        }
        if self.detail is not None:
            result["detail"] = self.detail
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        detail = src.get("detail")
        return cls(
            const(src["type"], "cancelled", "type"),
            detail,
        )
