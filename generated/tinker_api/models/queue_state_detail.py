from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class QueueStateDetail(Schema):
    """The body of a 408."""

    detail: None | str = None
    """ What the operation waits for, in a sentence. """

    queue_state: None | str = None
    """ A `QueueState`. """

    queue_state_reason: None | str = None
    """ What the operation waits for, in a sentence. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.detail is not None:
            result["detail"] = self.detail
        if self.queue_state is not None:
            result["queue_state"] = self.queue_state
        if self.queue_state_reason is not None:
            result["queue_state_reason"] = self.queue_state_reason
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        detail = src.get("detail")
        queue_state = src.get("queue_state")
        queue_state_reason = src.get("queue_state_reason")
        return cls(
            detail,
            queue_state,
            queue_state_reason,
        )
