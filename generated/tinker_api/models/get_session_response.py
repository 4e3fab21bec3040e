from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class GetSessionResponse(Schema):
    """A session."""

    training_run_ids: list[str]
    """ Ids of its training runs, oldest first. """

    sampler_ids: list[str]
    """ Ids of its samplers, oldest first. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the session. """

    display_name: None | str = None
    """ Display name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "training_run_ids": self.training_run_ids,
            "sampler_ids": self.sampler_ids,
        }
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        if self.display_name is not None:
            result["display_name"] = self.display_name
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        user_metadata = src.get("user_metadata")
        display_name = src.get("display_name")
        return cls(
            src["training_run_ids"],
            src["sampler_ids"],
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            display_name,
        )


from ..models.user_metadata import UserMetadata  # noqa: E402
