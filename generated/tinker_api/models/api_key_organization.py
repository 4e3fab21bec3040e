from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _attrs_define


@_attrs_define
class ApiKeyOrganization:
    """Whose key it is."""

    name: None | str = None
    """ The organization. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.name is not None:
            result["name"] = self.name
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        name = src.get("name")
        return cls(
            name=name,
        )
