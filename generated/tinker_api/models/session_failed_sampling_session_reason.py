from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SessionFailedSamplingSessionReason(Schema):
    """A sampler failed."""

    sampling_session_id: str
    """ Id of the sampler. """

    type: Literal["sampling_session"] = "sampling_session"
    """ Type tag, always `sampling_session`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "sampling_session_id": self.sampling_session_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["sampling_session_id"],
            const(src["type"], "sampling_session", "type"),
        )
