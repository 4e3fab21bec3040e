from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class AnthropicErrorResponse(Schema):
    """An error, in Anthropic's format."""

    error: AnthropicErrorDetail
    """ What is wrong. """

    type: Literal["error"] = "error"
    """ Type tag, always `error`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "error": self.error.to_dict(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            AnthropicErrorDetail.from_dict(src["error"]),
            const(src["type"], "error", "type"),
        )


from ..models.anthropic_error_detail import AnthropicErrorDetail  # noqa: E402
