from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import tagged


@_attrs_frozen(eq=False, repr=False)
class TelemetrySendRequest(Schema):
    """Events of one client."""

    events: list[GenericEvent | SessionEndEvent | SessionStartEvent | UnhandledExceptionEvent]
    """ The events, oldest first. """

    platform: str
    """ Operating system of the client. """

    sdk_version: str
    """ Version of the client. """

    session_id: str
    """ Id of the session, or `sessionless-<uuid>`. """

    process_uuid: None | str = None
    """ UUID of the process. Some clients do not send it. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "events": [item.to_dict() for item in self.events],
            "platform": self.platform,
            "sdk_version": self.sdk_version,
            "session_id": self.session_id,
        }
        if self.process_uuid is not None:
            result["process_uuid"] = self.process_uuid
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        process_uuid = src.get("process_uuid")
        return cls(
            [
                tagged(
                    item,
                    "event",
                    {
                        "SESSION_START": SessionStartEvent,
                        "SESSION_END": SessionEndEvent,
                        "UNHANDLED_EXCEPTION": UnhandledExceptionEvent,
                        "GENERIC_EVENT": GenericEvent,
                    },
                )
                for item in src["events"]
            ],
            src["platform"],
            src["sdk_version"],
            src["session_id"],
            process_uuid,
        )


from ..models.generic_event import GenericEvent  # noqa: E402
from ..models.session_end_event import SessionEndEvent  # noqa: E402
from ..models.session_start_event import SessionStartEvent  # noqa: E402
from ..models.unhandled_exception_event import UnhandledExceptionEvent  # noqa: E402
