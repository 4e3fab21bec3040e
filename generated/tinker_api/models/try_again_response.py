from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.queue_state import QueueState
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class TryAgainResponse(Schema):
    """The result is not ready. Send the request again at once."""

    request_id: str
    """ Id of the promise. """

    queue_state: QueueState
    """ What a pending operation waits for. Clients must accept unknown values. """

    type: Literal["try_again"] = "try_again"
    """ Type tag, always `try_again`. """

    queue_state_reason: None | str = None
    """ What the operation waits for, in a sentence. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "request_id": self.request_id,
            "queue_state": self.queue_state,
        }
        if self.queue_state_reason is not None:
            result["queue_state_reason"] = self.queue_state_reason
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        queue_state_reason = src.get("queue_state_reason")
        return cls(
            src["request_id"],
            src["queue_state"],
            const(src["type"], "try_again", "type"),
            queue_state_reason,
        )
