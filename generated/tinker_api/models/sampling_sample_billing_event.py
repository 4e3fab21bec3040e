from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SamplingSampleBillingEvent(Schema):
    """Tokens that were sampled."""

    token_count: int
    """ Number of tokens. """

    type: Literal["sampling_sample"] = "sampling_sample"
    """ Type tag, always `sampling_sample`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "token_count": self.token_count,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["token_count"],
            const(src["type"], "sampling_sample", "type"),
        )
