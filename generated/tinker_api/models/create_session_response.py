from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CreateSessionResponse(Schema):
    """The new session, with messages for the user."""

    session_id: str
    """ Id of the session. """

    type: Literal["create_session"] = "create_session"
    """ Type tag, always `create_session`. """

    info_message: None | str = None
    """ Message to show as information. """

    warning_message: None | str = None
    """ Message to show as a warning. """

    error_message: None | str = None
    """ Message to show as an error. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "session_id": self.session_id,
            "type": self.type,
        }
        if self.info_message is not None:
            result["info_message"] = self.info_message
        if self.warning_message is not None:
            result["warning_message"] = self.warning_message
        if self.error_message is not None:
            result["error_message"] = self.error_message
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        type_ = src.get("type")
        info_message = src.get("info_message")
        warning_message = src.get("warning_message")
        error_message = src.get("error_message")
        return cls(
            src["session_id"],
            "create_session" if type_ is None else const(type_, "create_session", "type"),
            info_message,
            warning_message,
            error_message,
        )
