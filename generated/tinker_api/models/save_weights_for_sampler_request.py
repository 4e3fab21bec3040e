from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SaveWeightsForSamplerRequest(Schema):
    """Weights to make available for sampling."""

    model_id: str
    """ Id of the model. """

    path: None | str = None
    """ Name of the sampler checkpoint; null creates an ephemeral sampler. """

    sampling_session_seq_id: int | None = None
    """ Number of the ephemeral sampler within its session. `create_sampling_session` uses the same counter. """

    kind: None | str = None
    """ `snapshot` (default) or `inflight`. Only ephemeral samplers have it, and not every server knows it. """

    seq_id: int | None = None
    """ Place of the operation in the order of its model; null means last. """

    ttl_seconds: int | None = None
    """ Seconds until the checkpoint expires; null means that it never expires. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the checkpoint. """

    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"
    """ Type tag, always `save_weights_for_sampler`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_id": self.model_id,
            "type": self.type,
        }
        if self.path is not None:
            result["path"] = self.path
        if self.sampling_session_seq_id is not None:
            result["sampling_session_seq_id"] = self.sampling_session_seq_id
        if self.kind is not None:
            result["kind"] = self.kind
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
        sampling_session_seq_id = src.get("sampling_session_seq_id")
        kind = src.get("kind")
        seq_id = src.get("seq_id")
        ttl_seconds = src.get("ttl_seconds")
        user_metadata = src.get("user_metadata")
        type_ = src.get("type")
        return cls(
            src["model_id"],
            path,
            sampling_session_seq_id,
            kind,
            seq_id,
            ttl_seconds,
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            "save_weights_for_sampler"
            if type_ is None
            else const(type_, "save_weights_for_sampler", "type"),
        )


from ..models.user_metadata import UserMetadata  # noqa: E402
