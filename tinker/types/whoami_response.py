"""`WhoamiResponse`: whose credential it is."""

from __future__ import annotations

import attrs

from tinker_api.model import Model


@attrs.frozen
class WhoamiResponse(Model):
    """Whose credential it is."""

    user_urn: str
    """The user, such as `tml:organization_user:<uuid>`."""
    org_urn: str
    """The organization; empty if it is not known."""
    email: str | None = None
