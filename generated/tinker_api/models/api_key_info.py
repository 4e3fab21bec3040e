from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ApiKeyInfo(Schema):
    """An API key, without the key itself."""

    key_id: int
    """ Number of the key. """

    name: str
    """ Name of the key. """

    note: None | str = None
    """ The user's note about the key. """

    details: ApiKeyDetails | None = None
    """ The owner of the key. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "key_id": self.key_id,
            "name": self.name,
        }
        if self.note is not None:
            result["note"] = self.note
        if self.details is not None:
            result["details"] = self.details.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        note = src.get("note")
        details = src.get("details")
        return cls(
            src["key_id"],
            src["name"],
            note,
            None if details is None else ApiKeyDetails.from_dict(details),
        )


from ..models.api_key_details import ApiKeyDetails  # noqa: E402
