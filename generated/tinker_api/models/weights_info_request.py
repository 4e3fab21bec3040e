from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class WeightsInfoRequest(Schema):
    """The checkpoint to describe."""

    tinker_path: str
    """ Tinker path of the checkpoint: `tinker://<training run>/<weights|sampler_weights|external_weights>/<name>`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "tinker_path": self.tinker_path,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["tinker_path"],
        )
