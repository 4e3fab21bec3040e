from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class TrainingRun(Schema):
    """A training run."""

    training_run_id: str
    """ Id of the training run, which is also its model_id. """

    base_model: str
    """ Name of the base model. """

    model_owner: str
    """ URN of the owner. """

    is_lora: bool
    """ Whether an adapter is trained instead of the whole model. """

    last_request_time: datetime.datetime
    """ When the training run was last used. """

    corrupted: bool = False
    """ Whether the training run can no longer be trained. """

    lora_rank: int | None = None
    """ Rank of the adapter. """

    last_checkpoint: Checkpoint | None = None
    """ The last training checkpoint. """

    last_sampler_checkpoint: Checkpoint | None = None
    """ The last sampler checkpoint. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the training run. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "training_run_id": self.training_run_id,
            "base_model": self.base_model,
            "model_owner": self.model_owner,
            "is_lora": self.is_lora,
            "last_request_time": self.last_request_time.isoformat(),
            "corrupted": self.corrupted,
        }
        if self.lora_rank is not None:
            result["lora_rank"] = self.lora_rank
        if self.last_checkpoint is not None:
            result["last_checkpoint"] = self.last_checkpoint.to_dict()
        if self.last_sampler_checkpoint is not None:
            result["last_sampler_checkpoint"] = self.last_sampler_checkpoint.to_dict()
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        corrupted = src.get("corrupted")
        lora_rank = src.get("lora_rank")
        last_checkpoint = src.get("last_checkpoint")
        last_sampler_checkpoint = src.get("last_sampler_checkpoint")
        user_metadata = src.get("user_metadata")
        return cls(
            src["training_run_id"],
            src["base_model"],
            src["model_owner"],
            src["is_lora"],
            parse_time(src["last_request_time"]),
            False if corrupted is None else corrupted,
            lora_rank,
            None if last_checkpoint is None else Checkpoint.from_dict(last_checkpoint),
            None
            if last_sampler_checkpoint is None
            else Checkpoint.from_dict(last_sampler_checkpoint),
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
        )


from ..models.checkpoint import Checkpoint  # noqa: E402
from ..models.user_metadata import UserMetadata  # noqa: E402
