from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class UntypedAPIFuture(Schema):
    """A promise of a result."""

    request_id: str
    """ Id of the promise, for `retrieve_future`. Opaque; `<model or sampler>:<seq_id>` on the hosted service. """

    model_id: None | str = None
    """ Id of the model that the operation works on. """

    sample_sequence_ids: list[str] | None = None
    """ Names of the samples to come, one for each; later training requests can refer to them. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "request_id": self.request_id,
        }
        if self.model_id is not None:
            result["model_id"] = self.model_id
        if self.sample_sequence_ids is not None:
            result["sample_sequence_ids"] = self.sample_sequence_ids
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        model_id = src.get("model_id")
        sample_sequence_ids = src.get("sample_sequence_ids")
        return cls(
            src["request_id"],
            model_id,
            sample_sequence_ids,
        )
