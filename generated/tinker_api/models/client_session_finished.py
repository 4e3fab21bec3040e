from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const, tagged


@_attrs_frozen(eq=False, repr=False)
class ClientSessionFinished(Schema):
    """The client finished the session."""

    reason: ClientSessionFinishErrored | ClientSessionFinishInterrupted | ClientSessionFinishSuccess
    """ How a client's work ended. """

    type: Literal["client_finished"] = "client_finished"
    """ Type tag, always `client_finished`. """

    detail: None | str = None
    """ More about the reason, in a sentence. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
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
            const(src["type"], "client_finished", "type"),
            detail,
        )


from ..models.client_session_finish_errored import ClientSessionFinishErrored  # noqa: E402
from ..models.client_session_finish_interrupted import ClientSessionFinishInterrupted  # noqa: E402
from ..models.client_session_finish_success import ClientSessionFinishSuccess  # noqa: E402
