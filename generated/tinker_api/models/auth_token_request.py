from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class AuthTokenRequest(Schema):
    """An empty object. The credential is in the header."""

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls()
