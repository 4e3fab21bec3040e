from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ValidationErrorResponse(Schema):
    """The body of a 422."""

    detail: list[ValidationIssue]
    """ All violations found; at least one. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "detail": [item.to_dict() for item in self.detail],
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            [ValidationIssue.from_dict(item) for item in src["detail"]],
        )


from ..models.validation_issue import ValidationIssue  # noqa: E402
