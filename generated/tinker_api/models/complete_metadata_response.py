from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CompleteMetadataResponse(Schema):
    """The result is ready and large. Ask again with `allow_metadata_only` false when there is room for it."""

    response_payload_size: int
    """ Size of the result, in bytes. """

    type: Literal["complete_metadata"] = "complete_metadata"
    """ Type tag, always `complete_metadata`. Older servers leave it out. """

    status: Literal["complete_metadata"] = "complete_metadata"
    """ The same as `type`, for older clients. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "status": self.status,
            "response_payload_size": self.response_payload_size,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["response_payload_size"],
            const(src["type"], "complete_metadata", "type"),
            const(src["status"], "complete_metadata", "status"),
        )
