from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const, tagged


@_attrs_frozen(eq=False, repr=False)
class CreateModelRequest(Schema):
    """A training run to create."""

    session_id: str
    """ Id of the session. """

    model_seq_id: int
    """ Number of the model within its session, from 0. """

    base_model: str
    """ Name of a base model, from `get_server_capabilities`. """

    lora_config: LoraConfig | None = None
    """ The adapter to train; null asks for full fine-tuning. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the training run. """

    optimizer_config: AdamOptimizerConfig | DimuonOptimizerConfig | None | OptimizerConfigBase = (
        None
    )
    """ The optimizer; null means AdamW. Some servers do not know the field, so clients send it only if it is not AdamW.
    """

    type: Literal["create_model"] = "create_model"
    """ Type tag, always `create_model`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "session_id": self.session_id,
            "model_seq_id": self.model_seq_id,
            "base_model": self.base_model,
            "type": self.type,
        }
        if self.lora_config is not None:
            result["lora_config"] = self.lora_config.to_dict()
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        if self.optimizer_config is not None:
            result["optimizer_config"] = self.optimizer_config.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        lora_config = src.get("lora_config")
        user_metadata = src.get("user_metadata")
        optimizer_config = src.get("optimizer_config")
        type_ = src.get("type")
        return cls(
            src["session_id"],
            src["model_seq_id"],
            src["base_model"],
            None if lora_config is None else LoraConfig.from_dict(lora_config),
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
            None
            if optimizer_config is None
            else tagged(
                optimizer_config,
                "type",
                {
                    "adamw": AdamOptimizerConfig,
                    "dimuon": DimuonOptimizerConfig,
                },
                OptimizerConfigBase,
            ),
            "create_model" if type_ is None else const(type_, "create_model", "type"),
        )


from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: E402
from ..models.dimuon_optimizer_config import DimuonOptimizerConfig  # noqa: E402
from ..models.lora_config import LoraConfig  # noqa: E402
from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: E402
from ..models.user_metadata import UserMetadata  # noqa: E402
