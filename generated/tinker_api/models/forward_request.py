from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen
class ForwardRequest(Schema):
    """A batch to compute the loss of."""

    model_id: str
    """ The model. """

    forward_input: ForwardBackwardInput
    """ A batch and its loss. """

    seq_id: int | None = None
    """ Its place in the order; null means last. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "model_id": self.model_id,
            "forward_input": self.forward_input.to_dict(),
        }
        if self.seq_id is not None:
            result["seq_id"] = self.seq_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        seq_id = src.get("seq_id")
        return cls(
            model_id=src["model_id"],
            forward_input=ForwardBackwardInput.from_dict(src["forward_input"]),
            seq_id=seq_id,
        )


from ..models.forward_backward_input import ForwardBackwardInput  # noqa: E402
