from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SaveWeightsRequest(Schema):
    """A training checkpoint to save."""

    model_id: str
    """ Id of the model. """

    path: None | str = None
    """ Name of the checkpoint, not a tinker path; null lets the server choose one. """

    seq_id: int | None = None
    """ Place of the operation in the order of its model; null means last. """

    ttl_seconds: int | None = None
    """ Seconds until the checkpoint expires; null means that it never expires. """

    overwrite: bool = False
    """ Whether to replace a checkpoint of the same name. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the checkpoint. """

    type: Literal["save_weights"] = "save_weights"
    """ Type tag, always `save_weights`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_id": self.model_id,
            "overwrite": self.overwrite,
            "type": self.type,
        }
        if self.path is not None:
            result["path"] = self.path
        if self.seq_id is not None:
            result["seq_id"] = self.seq_id
        if self.ttl_seconds is not None:
            result["ttl_seconds"] = self.ttl_seconds
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        path = src.get("path")
        seq_id = src.get("seq_id")
        ttl_seconds = src.get("ttl_seconds")
        overwrite = src.get("overwrite")
        user_metadata = src.get("user_metadata")
        type_ = src.get("type")
        return cls(
            src["model_id"],
            path,
            seq_id,
            ttl_seconds,
            False if overwrite is None else overwrite,
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            "save_weights" if type_ is None else const(type_, "save_weights", "type"),
        )


from ..models.user_metadata import UserMetadata  # noqa: E402
