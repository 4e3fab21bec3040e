from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _attrs_define

from ..models.custom_loss_node_op import CustomLossNodeOp
from ..types import UNSET, Unset


@_attrs_define
class CustomLossNode:
    """A step of the loss, as torch.fx writes it."""

    op: CustomLossNodeOp
    """ What the step does. """

    name: str
    """ Its name, which later steps refer to. """

    target: str
    """ The function, method or input. """

    args: list[Any] | Unset = UNSET
    """ Positional arguments: JSON values, or `{"ref": name}`, `{"tuple": […]}`, `{"slice": [a, b, c]}`, `{"ellipsis":
    true}`, `{"float": "inf"}`, `{"dtype": …}`, `{"dict": …}`. """

    kwargs: CustomLossKwargs | Unset = UNSET
    """ Arguments by name, written as in `args`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "op": self.op,
            "name": self.name,
            "target": self.target,
        }
        if not isinstance(self.args, Unset):
            result["args"] = self.args
        if not isinstance(self.kwargs, Unset):
            result["kwargs"] = self.kwargs
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        args = src.get("args")
        kwargs = src.get("kwargs")
        return cls(
            op=src["op"],
            name=src["name"],
            target=src["target"],
            args=UNSET if args is None else args,
            kwargs=UNSET if kwargs is None else CustomLossKwargs.from_dict(kwargs),
        )


from ..models.custom_loss_kwargs import CustomLossKwargs  # noqa: E402
