from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SamplingSessionFuturesTarget(Schema):
    """One process that samples from a sampler."""

    sampling_session_id: str
    """ Id of the sampler. """

    type: Literal["sampling_session"] = "sampling_session"
    """ Type tag, always `sampling_session`. """

    cloned_sampler_id: int = 0
    """ Number of the process: the quotient of its seq_ids and 10⁹, without the remainder. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "sampling_session_id": self.sampling_session_id,
            "cloned_sampler_id": self.cloned_sampler_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        cloned_sampler_id = src.get("cloned_sampler_id")
        return cls(
            src["sampling_session_id"],
            const(src["type"], "sampling_session", "type"),
            0 if cloned_sampler_id is None else cloned_sampler_id,
        )
