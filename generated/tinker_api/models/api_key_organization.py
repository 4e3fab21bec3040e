from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ApiKeyOrganization(Schema):
    """The organization that an API key belongs to."""

    name: None | str = None
    """ Name of the organization. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.name is not None:
            result["name"] = self.name
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        name = src.get("name")
        return cls(
            name,
        )
