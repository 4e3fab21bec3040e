from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ApiKeyUser(Schema):
    """The user that an API key belongs to."""

    email: None | str = None
    """ Email address of the user. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.email is not None:
            result["email"] = self.email
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        email = src.get("email")
        return cls(
            email,
        )
