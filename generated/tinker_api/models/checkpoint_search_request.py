from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.checkpoint_type import CheckpointType
from ..types import tagged


@_attrs_frozen(eq=False, repr=False)
class CheckpointSearchRequest(Schema):
    """Filters of a search for checkpoints. A checkpoint must match all of them."""

    project_ids: list[str] | None = None
    """ Matches checkpoints in any of these projects; null means in every project that you may list. """

    user_metadata: UserMetadata = _attrs_field(factory=lambda: UserMetadata())
    """ Your own names and values, stored with an object. """

    checkpoint_type: CheckpointType | None = None
    """ Matches checkpoints of this type; null means of any type. """

    owner: AccessibleSearchOwner | None | OwnSearchOwner | UserSearchOwner = None
    """ Matches checkpoints of this owner; null means your own. """

    base_models: list[str] | None = None
    """ Matches checkpoints of any of these base models; null means of any base model. An empty list matches nothing.
    """

    limit: int = 50
    """ Maximum number of checkpoints on the page. The hosted service's default is not documented. """

    cursor: CheckpointSearchCursor | None = None
    """ `next_cursor` of the previous page. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "limit": self.limit,
        }
        if self.project_ids is not None:
            result["project_ids"] = self.project_ids
        if self.user_metadata:
            result["user_metadata"] = self.user_metadata
        if self.checkpoint_type is not None:
            result["checkpoint_type"] = self.checkpoint_type
        if self.owner is not None:
            result["owner"] = self.owner.to_dict()
        if self.base_models is not None:
            result["base_models"] = self.base_models
        if self.cursor is not None:
            result["cursor"] = self.cursor.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        project_ids = src.get("project_ids")
        user_metadata = src.get("user_metadata")
        checkpoint_type = src.get("checkpoint_type")
        owner = src.get("owner")
        base_models = src.get("base_models")
        limit = src.get("limit")
        cursor = src.get("cursor")
        return cls(
            project_ids,
            UserMetadata() if user_metadata is None else UserMetadata.from_dict(user_metadata),
            checkpoint_type,
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
            base_models,
            50 if limit is None else limit,
            None if cursor is None else CheckpointSearchCursor.from_dict(cursor),
        )


from ..models.accessible_search_owner import AccessibleSearchOwner  # noqa: E402
from ..models.checkpoint_search_cursor import CheckpointSearchCursor  # noqa: E402
from ..models.own_search_owner import OwnSearchOwner  # noqa: E402
from ..models.user_metadata import UserMetadata  # noqa: E402
from ..models.user_search_owner import UserSearchOwner  # noqa: E402
