from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ModelData(Schema):
    """The base model of a training run."""

    arch: None | str = None
    """ Architecture of the base model; `unknown` on the hosted service. """

    model_name: None | str = None
    """ Name of the base model. """

    tokenizer_id: None | str = None
    """ Name of the tokenizer, if it is not the one that belongs to the model name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.arch is not None:
            result["arch"] = self.arch
        if self.model_name is not None:
            result["model_name"] = self.model_name
        if self.tokenizer_id is not None:
            result["tokenizer_id"] = self.tokenizer_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        arch = src.get("arch")
        model_name = src.get("model_name")
        tokenizer_id = src.get("tokenizer_id")
        return cls(
            arch,
            model_name,
            tokenizer_id,
        )
