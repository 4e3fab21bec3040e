from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class OpenAIModelList(Schema):
    """A list of models."""

    data: list[OpenAIModel]
    """ The models. """

    object_: Literal["list"] = "list"
    """ Type tag, always `list`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "object": self.object_,
            "data": [item.to_dict() for item in self.data],
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            [OpenAIModel.from_dict(item) for item in src["data"]],
            const(src["object"], "list", "object"),
        )


from ..models.open_ai_model import OpenAIModel  # noqa: E402
