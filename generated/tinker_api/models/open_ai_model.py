from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class OpenAIModel(Schema):
    """A model that a request can name."""

    id: str
    """ Name to give as `model`. """

    object_: Literal["model"] = "model"
    """ Type tag, always `model`. """

    created: int | None = None
    """ When the checkpoint was saved, in seconds since 1970. """

    owned_by: None | str = None
    """ Owner of the model. """

    parent: None | str = None
    """ Name of the base model of a checkpoint. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "id": self.id,
            "object": self.object_,
        }
        if self.created is not None:
            result["created"] = self.created
        if self.owned_by is not None:
            result["owned_by"] = self.owned_by
        if self.parent is not None:
            result["parent"] = self.parent
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        created = src.get("created")
        owned_by = src.get("owned_by")
        parent = src.get("parent")
        return cls(
            src["id"],
            const(src["object"], "model", "object"),
            created,
            owned_by,
            parent,
        )
