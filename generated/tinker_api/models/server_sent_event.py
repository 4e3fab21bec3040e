from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import UNSET, Unset


@_attrs_frozen(eq=False, repr=False)
class ServerSentEvent(Schema):
    """An event of a stream. Its data is JSON."""

    data: str
    """ A `StreamSampleEvent`. """

    event: str | Unset = UNSET
    """ Type of the event; not used. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "data": self.data,
        }
        if not isinstance(self.event, Unset):
            result["event"] = self.event
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        event = src.get("event")
        return cls(
            src["data"],
            UNSET if event is None else event,
        )
