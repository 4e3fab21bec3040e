from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CreateCustomLossRequest(Schema):
    """A loss to register."""

    session_id: str
    """ Id of the session. """

    custom_loss_seq_id: int
    """ Number of the loss within its session, from 0. """

    name: str
    """ Display name. """

    inputs: list[CustomLossInput]
    """ The tensors that the loss takes. """

    graph: CustomLossGraph
    """ The steps of a loss. """

    type: Literal["create_custom_loss"] = "create_custom_loss"
    """ Type tag, always `create_custom_loss`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "session_id": self.session_id,
            "custom_loss_seq_id": self.custom_loss_seq_id,
            "name": self.name,
            "inputs": [item.to_dict() for item in self.inputs],
            "graph": self.graph.to_dict(),
            "type": self.type,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        type_ = src.get("type")
        return cls(
            src["session_id"],
            src["custom_loss_seq_id"],
            src["name"],
            [CustomLossInput.from_dict(item) for item in src["inputs"]],
            CustomLossGraph.from_dict(src["graph"]),
            "create_custom_loss" if type_ is None else const(type_, "create_custom_loss", "type"),
        )


from ..models.custom_loss_graph import CustomLossGraph  # noqa: E402
from ..models.custom_loss_input import CustomLossInput  # noqa: E402
