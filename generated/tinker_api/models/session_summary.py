from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time, tagged


@_attrs_frozen
class SessionSummary(Schema):
    """A session found."""

    session_id: str
    """ The session. """

    created_at: datetime.datetime
    """ When it was opened. """

    owner: str
    """ Whose it is. """

    project_id: str
    """ Its project. """

    checkpoints_count: int
    """ How many checkpoints its training runs have. """

    status: ClientSessionFinished | None | SessionActive | SessionCancelled | SessionFailed = None
    """ How it is. """

    display_name: None | str = None
    """ Its name. """

    user_metadata: None | UserMetadata = None
    """ Kept with the object. """

    checkpoint_storage_bytes: int | None = None
    """ What they take. """

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
            session_id=src["session_id"],
            created_at=parse_time(src["created_at"]),
            owner=src["owner"],
            project_id=src["project_id"],
            checkpoints_count=src["checkpoints_count"],
            status=None
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
            display_name=display_name,
            user_metadata=None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            checkpoint_storage_bytes=checkpoint_storage_bytes,
        )


from ..models.client_session_finished import ClientSessionFinished  # noqa: E402
from ..models.session_active import SessionActive  # noqa: E402
from ..models.session_cancelled import SessionCancelled  # noqa: E402
from ..models.session_failed import SessionFailed  # noqa: E402
from ..models.user_metadata import UserMetadata  # noqa: E402
