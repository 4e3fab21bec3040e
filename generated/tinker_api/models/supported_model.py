from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class SupportedModel(Schema):
    """A base model that the server offers."""

    model_name: None | str = None
    """ Name to create models and samplers with. """

    max_context_length: int | None = None
    """ Maximum number of tokens of prompt and completion together. """

    trainable: bool | None = None
    """ Whether `create_model` accepts the model. """

    sampleable: bool | None = None
    """ Whether `create_sampling_session` accepts the model. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.model_name is not None:
            result["model_name"] = self.model_name
        if self.max_context_length is not None:
            result["max_context_length"] = self.max_context_length
        if self.trainable is not None:
            result["trainable"] = self.trainable
        if self.sampleable is not None:
            result["sampleable"] = self.sampleable
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        model_name = src.get("model_name")
        max_context_length = src.get("max_context_length")
        trainable = src.get("trainable")
        sampleable = src.get("sampleable")
        return cls(
            model_name,
            max_context_length,
            trainable,
            sampleable,
        )
