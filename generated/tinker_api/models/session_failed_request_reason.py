from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SessionFailedRequestReason(Schema):
    """A request failed."""

    request_id: str
    """ Id of the promise of the request. """

    request_type: str
    """ Operation of the request. """

    type: Literal["request"] = "request"
    """ Type tag, always `request`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "request_id": self.request_id,
            "request_type": self.request_type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["request_id"],
            src["request_type"],
            const(src["type"], "request", "type"),
        )
