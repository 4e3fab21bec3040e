from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ForwardBackwardRequest(Schema):
    """A batch to compute gradients of."""

    forward_backward_input: ForwardBackwardInput
    """ A batch and its loss. """

    model_id: str
    """ Id of the model. """

    seq_id: int | None = None
    """ Place of the operation in the order of its model; null means last. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "forward_backward_input": self.forward_backward_input.to_dict(),
            "model_id": self.model_id,
        }
        if self.seq_id is not None:
            result["seq_id"] = self.seq_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        seq_id = src.get("seq_id")
        return cls(
            ForwardBackwardInput.from_dict(src["forward_backward_input"]),
            src["model_id"],
            seq_id,
        )


from ..models.forward_backward_input import ForwardBackwardInput  # noqa: E402
