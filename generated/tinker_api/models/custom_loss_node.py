from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.custom_loss_node_op import CustomLossNodeOp


@_attrs_frozen(eq=False, repr=False)
class CustomLossNode(Schema):
    """A step of the loss, in the format of torch.fx."""

    op: CustomLossNodeOp
    """ What the step does. """

    name: str
    """ Name of the step, for later steps to refer to. """

    target: str
    """ The function, method or input that the step uses. """

    args: list[Any] = _attrs_field(factory=list)
    """ Positional arguments: JSON values, or `{"ref": name}`, `{"tuple": […]}`, `{"slice": [a, b, c]}`, `{"ellipsis":
    true}`, `{"float": "inf"}`, `{"dtype": …}`, `{"dict": …}`. """

    kwargs: CustomLossKwargs = _attrs_field(factory=lambda: CustomLossKwargs())
    """ Arguments by name, written as in `args`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "op": self.op,
            "name": self.name,
            "target": self.target,
        }
        if self.args:
            result["args"] = self.args
        if self.kwargs:
            result["kwargs"] = self.kwargs
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        args = src.get("args")
        kwargs = src.get("kwargs")
        return cls(
            src["op"],
            src["name"],
            src["target"],
            list() if args is None else args,
            CustomLossKwargs() if kwargs is None else CustomLossKwargs.from_dict(kwargs),
        )


from ..models.custom_loss_kwargs import CustomLossKwargs  # noqa: E402
