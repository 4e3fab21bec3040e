from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import tagged


@_attrs_frozen(eq=False, repr=False)
class SessionSearchRequest(Schema):
    """Filters of a search for sessions. A session must match all of them."""

    session_id: None | str = None
    """ Matches the session with this id. """

    project_ids: list[str] | None = None
    """ Matches sessions in any of these projects. """

    user_metadata: UserMetadata = _attrs_field(factory=lambda: UserMetadata())
    """ Your own names and values, stored with an object. """

    display_name: None | str = None
    """ Matches sessions with this display name. """

    owner: AccessibleSearchOwner | None | OwnSearchOwner | UserSearchOwner = None
    """ Matches sessions of this owner; null means your own. """

    statuses: (
        list[
            ActiveSessionStatusQuery
            | CancelledSessionStatusQuery
            | ClientFinishedSessionStatusQuery
            | FailedSessionStatusQuery
        ]
        | None
    ) = None
    """ Matches sessions with any of these statuses. """

    limit: int = 50
    """ Maximum number of sessions on the page. """

    cursor: None | SessionSearchCursor = None
    """ `next_cursor` of the previous page. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "limit": self.limit,
        }
        if self.session_id is not None:
            result["session_id"] = self.session_id
        if self.project_ids is not None:
            result["project_ids"] = self.project_ids
        if self.user_metadata:
            result["user_metadata"] = self.user_metadata
        if self.display_name is not None:
            result["display_name"] = self.display_name
        if self.owner is not None:
            result["owner"] = self.owner.to_dict()
        if self.statuses is not None:
            result["statuses"] = [item.to_dict() for item in self.statuses]
        if self.cursor is not None:
            result["cursor"] = self.cursor.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        session_id = src.get("session_id")
        project_ids = src.get("project_ids")
        user_metadata = src.get("user_metadata")
        display_name = src.get("display_name")
        owner = src.get("owner")
        statuses = src.get("statuses")
        limit = src.get("limit")
        cursor = src.get("cursor")
        return cls(
            session_id,
            project_ids,
            UserMetadata() if user_metadata is None else UserMetadata.from_dict(user_metadata),
            display_name,
            None
            if owner is None
            else tagged(
                owner,
                "type",
                {
                    "own": OwnSearchOwner,
                    "accessible": AccessibleSearchOwner,
                    "user": UserSearchOwner,
                },
            ),
            None
            if statuses is None
            else [
                tagged(
                    item,
                    "type",
                    {
                        "active": ActiveSessionStatusQuery,
                        "cancelled": CancelledSessionStatusQuery,
                        "failed": FailedSessionStatusQuery,
                        "client_finished": ClientFinishedSessionStatusQuery,
                    },
                )
                for item in statuses
            ],
            50 if limit is None else limit,
            None if cursor is None else SessionSearchCursor.from_dict(cursor),
        )


from ..models.accessible_search_owner import AccessibleSearchOwner  # noqa: E402
from ..models.active_session_status_query import ActiveSessionStatusQuery  # noqa: E402
from ..models.cancelled_session_status_query import CancelledSessionStatusQuery  # noqa: E402
from ..models.client_finished_session_status_query import ClientFinishedSessionStatusQuery  # noqa: E402
from ..models.failed_session_status_query import FailedSessionStatusQuery  # noqa: E402
from ..models.own_search_owner import OwnSearchOwner  # noqa: E402
from ..models.session_search_cursor import SessionSearchCursor  # noqa: E402
from ..models.user_metadata import UserMetadata  # noqa: E402
from ..models.user_search_owner import UserSearchOwner  # noqa: E402
