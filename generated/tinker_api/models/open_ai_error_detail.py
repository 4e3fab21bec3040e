from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class OpenAIErrorDetail(Schema):
    """What is wrong."""

    message: str
    """ What is wrong, in a sentence. """

    type: str
    """ Type of the error, such as `invalid_request_error`. """

    param: None | str = None
    """ Name of the parameter that is wrong. """

    code: None | str = None
    """ Code of the error, for programs, such as `unsupported_parameter`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
        }
        if self.param is not None:
            result["param"] = self.param
        if self.code is not None:
            result["code"] = self.code
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        param = src.get("param")
        code = src.get("code")
        return cls(
            src["message"],
            src["type"],
            param,
            code,
        )
