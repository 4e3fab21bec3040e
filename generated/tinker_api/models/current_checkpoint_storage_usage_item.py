from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CurrentCheckpointStorageUsageItem(Schema):
    """Storage that the checkpoints of one user in one project take."""

    checkpoint_count: int
    """ Number of checkpoints. """

    size_bytes: int
    """ Size of the checkpoints, in bytes. """

    size_gigabytes: float
    """ Size of the checkpoints, in gigabytes (10⁹ bytes). """

    project_id: None | str = None
    """ Id of the project. """

    org_user_urn: None | str = None
    """ URN of the user. """

    user_email: None | str = None
    """ Email address of the user. """

    user_name: None | str = None
    """ Display name of the user. """

    estimated_monthly_cost_usd: float | None = None
    """ Estimated cost of a month, in US dollars. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "checkpoint_count": self.checkpoint_count,
            "size_bytes": self.size_bytes,
            "size_gigabytes": self.size_gigabytes,
        }
        if self.project_id is not None:
            result["project_id"] = self.project_id
        if self.org_user_urn is not None:
            result["org_user_urn"] = self.org_user_urn
        if self.user_email is not None:
            result["user_email"] = self.user_email
        if self.user_name is not None:
            result["user_name"] = self.user_name
        if self.estimated_monthly_cost_usd is not None:
            result["estimated_monthly_cost_usd"] = self.estimated_monthly_cost_usd
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        project_id = src.get("project_id")
        org_user_urn = src.get("org_user_urn")
        user_email = src.get("user_email")
        user_name = src.get("user_name")
        estimated_monthly_cost_usd = src.get("estimated_monthly_cost_usd")
        return cls(
            src["checkpoint_count"],
            src["size_bytes"],
            src["size_gigabytes"],
            project_id,
            org_user_urn,
            user_email,
            user_name,
            estimated_monthly_cost_usd,
        )
