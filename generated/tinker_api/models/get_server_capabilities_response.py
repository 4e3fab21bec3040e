from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class GetServerCapabilitiesResponse(Schema):
    """The models that the server offers."""

    supported_models: list[SupportedModel]
    """ The base models that the server offers. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "supported_models": [item.to_dict() for item in self.supported_models],
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            [SupportedModel.from_dict(item) for item in src["supported_models"]],
        )


from ..models.supported_model import SupportedModel  # noqa: E402
