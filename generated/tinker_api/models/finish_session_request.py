from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import tagged


@_attrs_frozen(eq=False, repr=False)
class FinishSessionRequest(Schema):
    """How the client's work ended."""

    reason: ClientSessionFinishErrored | ClientSessionFinishInterrupted | ClientSessionFinishSuccess
    """ How a client's work ended. """

    detail: None | str = None
    """ More about the reason, in a sentence. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "reason": self.reason.to_dict(),
        }
        if self.detail is not None:
            result["detail"] = self.detail
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        detail = src.get("detail")
        return cls(
            tagged(
                src["reason"],
                "type",
                {
                    "success": ClientSessionFinishSuccess,
                    "errored": ClientSessionFinishErrored,
                    "interrupted": ClientSessionFinishInterrupted,
                },
            ),
            detail,
        )


from ..models.client_session_finish_errored import ClientSessionFinishErrored  # noqa: E402
from ..models.client_session_finish_interrupted import ClientSessionFinishInterrupted  # noqa: E402
from ..models.client_session_finish_success import ClientSessionFinishSuccess  # noqa: E402
