from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CopyWeightsRequest(Schema):
    """A checkpoint to copy."""

    source_path: str
    """ Tinker path of the checkpoint. """

    session_id: None | str = None
    """ Id of the session that the copy belongs to. """

    model_seq_id: int | None = None
    """ Number of the new training run within its session. """

    destination_project_id: None | str = None
    """ Id of the project of the copy. """

    ttl_seconds: int | None = None
    """ Seconds until the copy expires; null means that it never expires. """

    weights_access_token: None | str = None
    """ Grants access to a checkpoint of another user, as the header `X-Tinker-Weights-Access-Token` does. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "source_path": self.source_path,
        }
        if self.session_id is not None:
            result["session_id"] = self.session_id
        if self.model_seq_id is not None:
            result["model_seq_id"] = self.model_seq_id
        if self.destination_project_id is not None:
            result["destination_project_id"] = self.destination_project_id
        if self.ttl_seconds is not None:
            result["ttl_seconds"] = self.ttl_seconds
        if self.weights_access_token is not None:
            result["weights_access_token"] = self.weights_access_token
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        session_id = src.get("session_id")
        model_seq_id = src.get("model_seq_id")
        destination_project_id = src.get("destination_project_id")
        ttl_seconds = src.get("ttl_seconds")
        weights_access_token = src.get("weights_access_token")
        return cls(
            src["source_path"],
            session_id,
            model_seq_id,
            destination_project_id,
            ttl_seconds,
            weights_access_token,
        )
