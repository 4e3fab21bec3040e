"""`GetBillingUsageRequest`: which hours of usage to read."""

from __future__ import annotations

from datetime import datetime

import attrs

from tinker_api.model import Model


@attrs.frozen(kw_only=True)
class GetBillingUsageRequest(Model):
    """Which hours of usage to read. On the wire these are query parameters."""

    starting_on: datetime
    """First hour, inclusive."""
    ending_before: datetime
    """Last hour, exclusive."""
