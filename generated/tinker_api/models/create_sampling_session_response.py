from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CreateSamplingSessionResponse(Schema):
    """The new sampler."""

    sampling_session_id: str
    """ Id of the sampler. """

    type: Literal["create_sampling_session"] = "create_sampling_session"
    """ Type tag, always `create_sampling_session`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "sampling_session_id": self.sampling_session_id,
            "type": self.type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        type_ = src.get("type")
        return cls(
            src["sampling_session_id"],
            "create_sampling_session"
            if type_ is None
            else const(type_, "create_sampling_session", "type"),
        )
