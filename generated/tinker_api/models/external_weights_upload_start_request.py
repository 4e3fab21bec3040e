from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ExternalWeightsUploadStartRequest(Schema):
    """An adapter to upload."""

    base_model: str
    """ Name of a base model, from `get_server_capabilities`. """

    lora_config: LoraConfig
    """ The adapter to train. """

    destination_project_id: None | str = None
    """ Id of the project of the checkpoint. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "base_model": self.base_model,
            "lora_config": self.lora_config.to_dict(),
        }
        if self.destination_project_id is not None:
            result["destination_project_id"] = self.destination_project_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        destination_project_id = src.get("destination_project_id")
        return cls(
            src["base_model"],
            LoraConfig.from_dict(src["lora_config"]),
            destination_project_id,
        )


from ..models.lora_config import LoraConfig  # noqa: E402
