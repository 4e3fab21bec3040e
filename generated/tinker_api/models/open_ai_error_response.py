from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class OpenAIErrorResponse(Schema):
    """An error, in OpenAI's format."""

    error: OpenAIErrorDetail
    """ What is wrong. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "error": self.error.to_dict(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            OpenAIErrorDetail.from_dict(src["error"]),
        )


from ..models.open_ai_error_detail import OpenAIErrorDetail  # noqa: E402
