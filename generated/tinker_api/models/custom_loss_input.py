from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.custom_loss_input_rank import CustomLossInputRank


@_attrs_frozen(eq=False, repr=False)
class CustomLossInput(Schema):
    """A tensor that the loss takes."""

    name: str
    """ Name of the tensor. The first is `logprobs`; the others are names of `loss_fn_inputs`. """

    rank: CustomLossInputRank
    """ Number of dimensions. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "name": self.name,
            "rank": self.rank,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["name"],
            src["rank"],
        )
