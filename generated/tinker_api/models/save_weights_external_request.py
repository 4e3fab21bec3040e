from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SaveWeightsExternalRequest(Schema):
    """Weights to save for use elsewhere."""

    model_id: str
    """ Id of the model. """

    path: str
    """ Name of a checkpoint within its training run; one path segment. """

    seq_id: int | None = None
    """ Place of the operation in the order of its model. """

    ttl_seconds: int | None = None
    """ Seconds until the checkpoint expires; null means that it never expires. """

    age_encryption_recipients: list[str] | None = None
    """ The age recipients (`age1…`) to encrypt for. """

    type: Literal["save_weights_external"] = "save_weights_external"
    """ Type tag, always `save_weights_external`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_id": self.model_id,
            "path": self.path,
            "type": self.type,
        }
        if self.seq_id is not None:
            result["seq_id"] = self.seq_id
        if self.ttl_seconds is not None:
            result["ttl_seconds"] = self.ttl_seconds
        if self.age_encryption_recipients is not None:
            result["age_encryption_recipients"] = self.age_encryption_recipients
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        seq_id = src.get("seq_id")
        ttl_seconds = src.get("ttl_seconds")
        age_encryption_recipients = src.get("age_encryption_recipients")
        type_ = src.get("type")
        return cls(
            src["model_id"],
            src["path"],
            seq_id,
            ttl_seconds,
            age_encryption_recipients,
            "save_weights_external"
            if type_ is None
            else const(type_, "save_weights_external", "type"),
        )
