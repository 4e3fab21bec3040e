from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class JoinSamplingSessionResponse(Schema):
    """The sampler is joined."""

    client_counter: int
    """ Number of the process, from 1. """

    type: Literal["join_sampling_session"] = "join_sampling_session"
    """ Type tag, always `join_sampling_session`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "client_counter": self.client_counter,
            "type": self.type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        type_ = src.get("type")
        return cls(
            src["client_counter"],
            "join_sampling_session"
            if type_ is None
            else const(type_, "join_sampling_session", "type"),
        )
