from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class GetSamplerResponse(Schema):
    """A sampler."""

    sampler_id: str
    """ Id of the sampler. """

    base_model: str
    """ Name of the base model. """

    model_path: None | str = None
    """ Tinker path of the weights, if they are not those of the base model. """

    tokenizer_id: None | str = None
    """ Name of the tokenizer, if it is not the one that belongs to the name of the base model. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "sampler_id": self.sampler_id,
            "base_model": self.base_model,
        }
        if self.model_path is not None:
            result["model_path"] = self.model_path
        if self.tokenizer_id is not None:
            result["tokenizer_id"] = self.tokenizer_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        model_path = src.get("model_path")
        tokenizer_id = src.get("tokenizer_id")
        return cls(
            src["sampler_id"],
            src["base_model"],
            model_path,
            tokenizer_id,
        )
