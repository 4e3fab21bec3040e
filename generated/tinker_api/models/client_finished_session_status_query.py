from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.client_session_finish_reason_type import (
    ClientSessionFinishReasonType,
)
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ClientFinishedSessionStatusQuery(Schema):
    """Matches sessions that their client finished."""

    type: Literal["client_finished"] = "client_finished"
    """ Type tag, always `client_finished`. """

    reasons: list[ClientSessionFinishReasonType] | None = None
    """ Matches only these reasons; null means any reason. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
        }
        if self.reasons is not None:
            result["reasons"] = self.reasons
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        reasons = src.get("reasons")
        return cls(
            const(src["type"], "client_finished", "type"),
            reasons,
        )
