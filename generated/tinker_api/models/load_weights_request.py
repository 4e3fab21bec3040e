from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const, tagged


@_attrs_frozen(eq=False, repr=False)
class LoadWeightsRequest(Schema):
    """A training checkpoint to load."""

    path: str
    """ Tinker path of the checkpoint. """

    optimizer: bool
    """ Whether to restore the optimizer's state too. """

    model_id: None | str = None
    """ Id of the model to load into. """

    seq_id: int | None = None
    """ Place of the operation in the order of the model that it loads into. """

    session_id: None | str = None
    """ Id of the session to create a model in. """

    model_seq_id: int | None = None
    """ Number of the model to create, within its session. """

    base_model: None | str = None
    """ Name of the base model, if the server should check it. """

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the training run. """

    optimizer_config: AdamOptimizerConfig | DimuonOptimizerConfig | None | OptimizerConfigBase = (
        None
    )
    """ The optimizer of the new model. """

    weights_access_token: None | str = None
    """ Grants access to a checkpoint of another user. """

    type: Literal["load_weights"] = "load_weights"
    """ Type tag, always `load_weights`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "path": self.path,
            "optimizer": self.optimizer,
            "type": self.type,
        }
        if self.model_id is not None:
            result["model_id"] = self.model_id
        if self.seq_id is not None:
            result["seq_id"] = self.seq_id
        if self.session_id is not None:
            result["session_id"] = self.session_id
        if self.model_seq_id is not None:
            result["model_seq_id"] = self.model_seq_id
        if self.base_model is not None:
            result["base_model"] = self.base_model
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        if self.optimizer_config is not None:
            result["optimizer_config"] = self.optimizer_config.to_dict()
        if self.weights_access_token is not None:
            result["weights_access_token"] = self.weights_access_token
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        model_id = src.get("model_id")
        seq_id = src.get("seq_id")
        session_id = src.get("session_id")
        model_seq_id = src.get("model_seq_id")
        base_model = src.get("base_model")
        user_metadata = src.get("user_metadata")
        optimizer_config = src.get("optimizer_config")
        weights_access_token = src.get("weights_access_token")
        type_ = src.get("type")
        return cls(
            src["path"],
            src["optimizer"],
            model_id,
            seq_id,
            session_id,
            model_seq_id,
            base_model,
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
            weights_access_token,
            "load_weights" if type_ is None else const(type_, "load_weights", "type"),
        )


from ..models.adam_optimizer_config import AdamOptimizerConfig  # noqa: E402
from ..models.dimuon_optimizer_config import DimuonOptimizerConfig  # noqa: E402
from ..models.optimizer_config_base import OptimizerConfigBase  # noqa: E402
from ..models.user_metadata import UserMetadata  # noqa: E402
