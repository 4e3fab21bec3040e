from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ErrorResponse(Schema):
    """The body of a failed request."""

    detail: str
    """ What is wrong, in a sentence. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "detail": self.detail,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["detail"],
        )
