from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time, tagged


@_attrs_frozen(eq=False, repr=False)
class SessionSummary(Schema):
    """A session that a search found."""

    session_id: str
    """ Id of the session. """

    created_at: datetime.datetime
    """ When the session was opened. """

    owner: str
    """ URN of the owner. """

    project_id: str
    """ Id of the project. """

    checkpoints_count: int
    """ Number of checkpoints of its training runs. """

    status: ClientSessionFinished | None | SessionActive | SessionCancelled | SessionFailed = None
    """ Status of the session. """

    display_name: None | str = None
    """ Display name. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the session. """

    checkpoint_storage_bytes: int | None = None
    """ Size of its checkpoints, in bytes. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "session_id": self.session_id,
            "created_at": self.created_at.isoformat(),
            "owner": self.owner,
            "project_id": self.project_id,
            "checkpoints_count": self.checkpoints_count,
        }
        if self.status is not None:
            result["status"] = self.status.to_dict()
        if self.display_name is not None:
            result["display_name"] = self.display_name
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        if self.checkpoint_storage_bytes is not None:
            result["checkpoint_storage_bytes"] = self.checkpoint_storage_bytes
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        status = src.get("status")
        display_name = src.get("display_name")
        user_metadata = src.get("user_metadata")
        checkpoint_storage_bytes = src.get("checkpoint_storage_bytes")
        return cls(
            src["session_id"],
            parse_time(src["created_at"]),
            src["owner"],
            src["project_id"],
            src["checkpoints_count"],
            None
            if status is None
            else tagged(
                status,
                "type",
                {
                    "failed": SessionFailed,
                    "cancelled": SessionCancelled,
                    "client_finished": ClientSessionFinished,
                    "active": SessionActive,
                },
            ),
            display_name,
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            checkpoint_storage_bytes,
        )


from ..models.client_session_finished import ClientSessionFinished  # noqa: E402
from ..models.session_active import SessionActive  # noqa: E402
from ..models.session_cancelled import SessionCancelled  # noqa: E402
from ..models.session_failed import SessionFailed  # noqa: E402
from ..models.user_metadata import UserMetadata  # noqa: E402
