from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class SamplingPrefillBillingEvent(Schema):
    """Tokens of prompts."""

    cached: bool
    """ Whether the tokens were cached. """

    token_count: int
    """ Number of tokens. """

    type: Literal["sampling_prefill"] = "sampling_prefill"
    """ Type tag, always `sampling_prefill`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "cached": self.cached,
            "token_count": self.token_count,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["cached"],
            src["token_count"],
            const(src["type"], "sampling_prefill", "type"),
        )
