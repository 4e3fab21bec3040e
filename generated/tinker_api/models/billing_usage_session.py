from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class BillingUsageSession(Schema):
    """A session that appears in the usage."""

    user_metadata: None | UserMetadata = None
    """ Your own metadata, stored with the session. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.user_metadata is not None:
            result["user_metadata"] = self.user_metadata
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        user_metadata = src.get("user_metadata")
        return cls(
            None if user_metadata is None else UserMetadata.from_dict(user_metadata),
        )


from ..models.user_metadata import UserMetadata  # noqa: E402
