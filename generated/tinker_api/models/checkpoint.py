from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.checkpoint_type import CheckpointType
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class Checkpoint(Schema):
    """Saved weights."""

    checkpoint_id: str
    """ `<kind>/<name>`; some servers return only the name. """

    checkpoint_type: CheckpointType
    """ Purpose of a checkpoint: training, sampling, or use elsewhere. Each value has a `CheckpointKind`. """

    time: datetime.datetime
    """ When the checkpoint was saved. """

    tinker_path: str
    """ Tinker path: `tinker://<training run>/<kind>/<name>`. """

    size_bytes: int | None = None
    """ Size of its files, in bytes. """

    public: bool = False
    """ Whether everyone may read the checkpoint. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the checkpoint. """

    expires_at: datetime.datetime | None = None
    """ When the checkpoint expires; null means never. """

    base_model: None | str = None
    """ Name of its base model. Servers older than SDK 0.39 leave it out. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "checkpoint_id": self.checkpoint_id,
            "checkpoint_type": self.checkpoint_type,
            "time": self.time.isoformat(),
            "tinker_path": self.tinker_path,
            "public": self.public,
        }
        if self.size_bytes is not None:
            result["size_bytes"] = self.size_bytes
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        if self.expires_at is not None:
            result["expires_at"] = self.expires_at.isoformat()
        if self.base_model is not None:
            result["base_model"] = self.base_model
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        size_bytes = src.get("size_bytes")
        public = src.get("public")
        user_metadata = src.get("user_metadata")
        expires_at = src.get("expires_at")
        base_model = src.get("base_model")
        return cls(
            src["checkpoint_id"],
            src["checkpoint_type"],
            parse_time(src["time"]),
            src["tinker_path"],
            size_bytes,
            False if public is None else public,
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            None if expires_at is None else parse_time(expires_at),
            base_model,
        )


from ..models.user_metadata import UserMetadata  # noqa: E402
