from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class CreateSamplingSessionRequest(Schema):
    """A sampler to create."""

    session_id: str
    """ Id of the session. """

    sampling_session_seq_id: int
    """ Number of the sampler within its session, from 0. """

    base_model: None | str = None
    """ Name of a base model, from `get_server_capabilities`. With `model_path`, it selects the context length to sample
    from the checkpoint at. """

    model_path: None | str = None
    """ Tinker path of the checkpoint to sample from. """

    type: Literal["create_sampling_session"] = "create_sampling_session"
    """ Type tag, always `create_sampling_session`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "session_id": self.session_id,
            "sampling_session_seq_id": self.sampling_session_seq_id,
            "type": self.type,
        }
        if self.base_model is not None:
            result["base_model"] = self.base_model
        if self.model_path is not None:
            result["model_path"] = self.model_path
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        base_model = src.get("base_model")
        model_path = src.get("model_path")
        type_ = src.get("type")
        return cls(
            src["session_id"],
            src["sampling_session_seq_id"],
            base_model,
            model_path,
            "create_sampling_session"
            if type_ is None
            else const(type_, "create_sampling_session", "type"),
        )
