"""`GetCurrentCheckpointStorageUsageRequest`: whose checkpoint storage to read."""

from __future__ import annotations

import attrs

from tinker_api.model import Model


@attrs.frozen(kw_only=True)
class GetCurrentCheckpointStorageUsageRequest(Model):
    """Whose checkpoint storage to read. On the wire this is a query parameter."""

    project_id: str | None = None
    """The project; None means every project."""
