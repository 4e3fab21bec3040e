from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import tagged


@_attrs_frozen(eq=False, repr=False)
class WeightsInfoResponse(Schema):
    """A checkpoint."""

    base_model: str
    """ Name of the base model. """

    is_lora: bool
    """ Whether the checkpoint is an adapter. """

    lora_rank: int | None = None
    """ Rank of the adapter. """

    train_unembed: bool | None = None
    """ Whether the unembedding is adapted. """

    train_mlp: bool | None = None
    """ Whether the MLP blocks are adapted. """

    train_attn: bool | None = None
    """ Whether the attention blocks are adapted. """

    optimizer_config: AdamOptimizerConfig | DimuonOptimizerConfig | None | OptimizerConfigBase = (
        None
    )
    """ The optimizer; absent means AdamW. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "base_model": self.base_model,
            "is_lora": self.is_lora,
        }
        if self.lora_rank is not None:
            result["lora_rank"] = self.lora_rank
        if self.train_unembed is not None:
            result["train_unembed"] = self.train_unembed
        if self.train_mlp is not None:
            result["train_mlp"] = self.train_mlp
        if self.train_attn is not None:
            result["train_attn"] = self.train_attn
        if self.optimizer_config is not None:
            result["optimizer_config"] = self.optimizer_config.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        lora_rank = src.get("lora_rank")
        train_unembed = src.get("train_unembed")
        train_mlp = src.get("train_mlp")
        train_attn = src.get("train_attn")
        optimizer_config = src.get("optimizer_config")
        return cls(
            src["base_model"],
            src["is_lora"],
            lora_rank,
            train_unembed,
            train_mlp,
            train_attn,
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
        )


from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: E402
from ..models.dimuon_optimizer_config import DimuonOptimizerConfig  # noqa: E402
from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: E402
