from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.request_error_category import RequestErrorCategory
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class RequestFailedResponse(Schema):
    """The operation failed."""

    error: str
    """ What went wrong, in a sentence. """

    category: RequestErrorCategory
    """ Who caused the failure: `user`, the caller (do not retry); `server`, the service; or `unknown`. """

    type: Literal["request_failed"] = "request_failed"
    """ Type tag, always `request_failed`. Older servers leave it out. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "error": self.error,
            "category": self.category,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["error"],
            src["category"],
            const(src["type"], "request_failed", "type"),
        )
