from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SaveWeightsForSamplerResponse(Schema):
    """The weights are available for sampling: by `path` if they were saved with a name, else by `sampling_session_id`."""

    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"
    """ Type tag, always `save_weights_for_sampler`. """

    path: None | str = None
    """ Tinker path of the sampler checkpoint. """

    sampling_session_id: None | str = None
    """ Id of the ephemeral sampler. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
        }
        if self.path is not None:
            result["path"] = self.path
        if self.sampling_session_id is not None:
            result["sampling_session_id"] = self.sampling_session_id
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        path = src.get("path")
        sampling_session_id = src.get("sampling_session_id")
        return cls(
            const(src["type"], "save_weights_for_sampler", "type"),
            path,
            sampling_session_id,
        )
