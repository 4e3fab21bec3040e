from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ApiKeyDetails(Schema):
    """The owner of an API key."""

    org_details: ApiKeyOrganization | None = None
    """ The organization of the owner. """

    user_details: ApiKeyUser | None = None
    """ The user who owns the key. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.org_details is not None:
            result["org_details"] = self.org_details.to_dict()
        if self.user_details is not None:
            result["user_details"] = self.user_details.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        org_details = src.get("org_details")
        user_details = src.get("user_details")
        return cls(
            None if org_details is None else ApiKeyOrganization.from_dict(org_details),
            None if user_details is None else ApiKeyUser.from_dict(user_details),
        )


from ..models.api_key_organization import ApiKeyOrganization  # noqa: E402
from ..models.api_key_user import ApiKeyUser  # noqa: E402
