from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class AnthropicErrorDetail(Schema):
    """What is wrong."""

    type: str
    """ Type of the error, such as `invalid_request_error`. """

    message: str
    """ What is wrong, in a sentence that begins with the parameter. """

    details: AnthropicErrorDetailDetailsType0 | None = None
    """ For programs: `error_code`, such as `thread_unsupported_request`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "message": self.message,
        }
        if self.details is not None:
            result["details"] = self.details
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        details = src.get("details")
        return cls(
            src["type"],
            src["message"],
            None if details is None else AnthropicErrorDetailDetailsType0.from_dict(details),
        )


from ..models.anthropic_error_detail_details_type_0 import AnthropicErrorDetailDetailsType0  # noqa: E402
