from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const, tagged


@_attrs_frozen(eq=False, repr=False)
class OptimStepRequest(Schema):
    """An optimizer step to take."""

    model_id: str
    """ Id of the model. """

    seq_id: int | None = None
    """ Place of the operation in the order of its model; null means last. """

    adam_params: AdamParams | None = None
    """ Parameters of Adam. """

    optimizer_params: DimuonParams | None | OptimParamsBase = None
    """ Parameters of another optimizer. Not every server knows the field. """

    type: Literal["optim_step"] = "optim_step"
    """ Type tag, always `optim_step`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_id": self.model_id,
            "type": self.type,
        }
        if self.seq_id is not None:
            result["seq_id"] = self.seq_id
        if self.adam_params is not None:
            result["adam_params"] = self.adam_params.to_dict()
        if self.optimizer_params is not None:
            result["optimizer_params"] = self.optimizer_params.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        seq_id = src.get("seq_id")
        adam_params = src.get("adam_params")
        optimizer_params = src.get("optimizer_params")
        type_ = src.get("type")
        return cls(
            src["model_id"],
            seq_id,
            None if adam_params is None else AdamParams.from_dict(adam_params),
            None
            if optimizer_params is None
            else tagged(
                optimizer_params,
                "type",
                {
                    "dimuon": DimuonParams,
                },
                OptimParamsBase,
            ),
            "optim_step" if type_ is None else const(type_, "optim_step", "type"),
        )


from ..models.adam_params import AdamParams  # noqa: E402
from ..models.dimuon_params import DimuonParams  # noqa: E402
from ..models.optim_params_base import OptimParamsBase  # noqa: E402
