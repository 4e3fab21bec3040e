from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CreateSessionRequest(Schema):
    """A session to open."""

    tags: list[str]
    """ Labels of the session. """

    sdk_version: str
    """ Version of the official SDK that the client is compatible with. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the session. """

    project_id: None | str = None
    """ Id of the project that the session is billed to. """

    display_name: None | str = None
    """ Display name. """

    type: Literal["create_session"] = "create_session"
    """ Type tag, always `create_session`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "tags": self.tags,
            "sdk_version": self.sdk_version,
            "type": self.type,
        }
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        if self.project_id is not None:
            result["project_id"] = self.project_id
        if self.display_name is not None:
            result["display_name"] = self.display_name
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        user_metadata = src.get("user_metadata")
        project_id = src.get("project_id")
        display_name = src.get("display_name")
        type_ = src.get("type")
        return cls(
            src["tags"],
            src["sdk_version"],
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            project_id,
            display_name,
            "create_session" if type_ is None else const(type_, "create_session", "type"),
        )


from ..models.user_metadata import UserMetadata  # noqa: E402
