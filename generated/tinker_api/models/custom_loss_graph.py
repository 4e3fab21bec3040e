from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CustomLossGraph(Schema):
    """The steps of a loss."""

    nodes: list[CustomLossNode]
    """ The steps, in order. """

    format: Literal[1] = 1
    """ Version of the format. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "nodes": [item.to_dict() for item in self.nodes],
            "format": self.format,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        format_ = src.get("format")
        return cls(
            [CustomLossNode.from_dict(item) for item in src["nodes"]],
            1 if format_ is None else const(format_, 1, "format"),
        )


from ..models.custom_loss_node import CustomLossNode  # noqa: E402
