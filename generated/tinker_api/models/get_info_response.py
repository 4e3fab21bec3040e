from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const, tagged


@_attrs_frozen(eq=False, repr=False)
class GetInfoResponse(Schema):
    """A training run."""

    model_id: str
    """ Id of the model. """

    model_data: ModelData
    """ The base model of a training run. """

    type: Literal["get_info"] = "get_info"
    """ Type tag, always `get_info`. """

    optimizer_config: AdamOptimizerConfig | DimuonOptimizerConfig | None | OptimizerConfigBase = (
        None
    )
    """ The optimizer; absent means AdamW. """

    is_lora: bool | None = None
    """ Whether an adapter is trained instead of the whole model. """

    lora_rank: int | None = None
    """ Rank of the adapter. """

    model_name: None | str = None
    """ Name of the base model. """

    next_seq_id: int | None = None
    """ The lowest `seq_id` that has not arrived: that of the next operation, if `last_seq_id` is lower. Null where the
    server does not tell, or the run takes no more operations. """

    last_seq_id: int | None = None
    """ The highest `seq_id` that has arrived; 0 before any. Not lower than `next_seq_id` while operations between have
    not arrived. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_id": self.model_id,
            "model_data": self.model_data.to_dict(),
            "type": self.type,
        }
        if self.optimizer_config is not None:
            result["optimizer_config"] = self.optimizer_config.to_dict()
        if self.is_lora is not None:
            result["is_lora"] = self.is_lora
        if self.lora_rank is not None:
            result["lora_rank"] = self.lora_rank
        if self.model_name is not None:
            result["model_name"] = self.model_name
        if self.next_seq_id is not None:
            result["next_seq_id"] = self.next_seq_id
        if self.last_seq_id is not None:
            result["last_seq_id"] = self.last_seq_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        type_ = src.get("type")
        optimizer_config = src.get("optimizer_config")
        is_lora = src.get("is_lora")
        lora_rank = src.get("lora_rank")
        model_name = src.get("model_name")
        next_seq_id = src.get("next_seq_id")
        last_seq_id = src.get("last_seq_id")
        return cls(
            src["model_id"],
            ModelData.from_dict(src["model_data"]),
            "get_info" if type_ is None else const(type_, "get_info", "type"),
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
            is_lora,
            lora_rank,
            model_name,
            next_seq_id,
            last_seq_id,
        )


from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: E402
from ..models.dimuon_optimizer_config import DimuonOptimizerConfig  # noqa: E402
from ..models.model_data import ModelData  # noqa: E402
from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: E402
