from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class FutureFailed(Schema):
    """The operation of a promise failed."""

    request_id: str
    """ Id of the promise. """

    state: Literal["failed"] = "failed"
    """ Type tag, always `failed`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "state": self.state,
            "request_id": self.request_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["request_id"],
            const(src["state"], "failed", "state"),
        )
