from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.session_failed_category import SessionFailedCategory
from ..types import const, tagged


@_attrs_frozen(eq=False, repr=False)
class SessionFailed(Schema):
    """The session failed."""

    category: SessionFailedCategory
    """ Who caused the failure: the user or the service. """

    reason: (
        SessionFailedRequestReason
        | SessionFailedSamplingSessionReason
        | SessionFailedTrainingRunReason
    )
    """ What failed in a session. """

    message: str
    """ What went wrong, in a sentence. """

    type: Literal["failed"] = "failed"
    """ Type tag, always `failed`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "category": self.category,
            "reason": self.reason.to_dict(),
            "message": self.message,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["category"],
            tagged(
                src["reason"],
                "type",
                {
                    "request": SessionFailedRequestReason,
                    "training_run": SessionFailedTrainingRunReason,
                    "sampling_session": SessionFailedSamplingSessionReason,
                },
            ),
            src["message"],
            const(src["type"], "failed", "type"),
        )


from ..models.session_failed_request_reason import SessionFailedRequestReason  # noqa: E402
from ..models.session_failed_sampling_session_reason import SessionFailedSamplingSessionReason  # noqa: E402
from ..models.session_failed_training_run_reason import SessionFailedTrainingRunReason  # noqa: E402
