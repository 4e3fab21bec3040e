from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _attrs_define


@_attrs_define
class AuthTokenRequest:
    """Nothing: the credential is in the header."""

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls()
