from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time, tagged


@_attrs_frozen(eq=False, repr=False)
class BillingUsageEvent(Schema):
    """Usage within one hour."""

    bucket_start: datetime.datetime
    """ Start of the hour. """

    bucket_end: datetime.datetime
    """ End of the hour. """

    event_info: (
        CheckpointBillingEvent
        | SamplingPrefillBillingEvent
        | SamplingSampleBillingEvent
        | StorageBillingEvent
        | TrainingBillingEvent
    )
    """ What was used, and how much of it. """

    base_model: None | str = None
    """ Name of the base model that was used. """

    user_id: None | str = None
    """ Id of the user. """

    user_name: None | str = None
    """ Display name of the user. """

    session_id: None | str = None
    """ Id of the session. """

    project_id: None | str = None
    """ Id of the project that is billed. """

    estimated_cost_usd: float | None = None
    """ Estimated cost in US dollars: rate × tokens / 10⁶, or rate × gigabyte hours / 720. """

    effective_rate_usd_per_million_tokens: float | None = None
    """ Price of a million tokens, in US dollars. """

    effective_rate_usd_per_gigabyte_month: float | None = None
    """ Price of storing a gigabyte for a month, in US dollars. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "bucket_start": self.bucket_start.isoformat(),
            "bucket_end": self.bucket_end.isoformat(),
            "event_info": self.event_info.to_dict(),
        }
        if self.base_model is not None:
            result["base_model"] = self.base_model
        if self.user_id is not None:
            result["user_id"] = self.user_id
        if self.user_name is not None:
            result["user_name"] = self.user_name
        if self.session_id is not None:
            result["session_id"] = self.session_id
        if self.project_id is not None:
            result["project_id"] = self.project_id
        if self.estimated_cost_usd is not None:
            result["estimated_cost_usd"] = self.estimated_cost_usd
        if self.effective_rate_usd_per_million_tokens is not None:
            result["effective_rate_usd_per_million_tokens"] = (
                self.effective_rate_usd_per_million_tokens
            )
        if self.effective_rate_usd_per_gigabyte_month is not None:
            result["effective_rate_usd_per_gigabyte_month"] = (
                self.effective_rate_usd_per_gigabyte_month
            )
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        base_model = src.get("base_model")
        user_id = src.get("user_id")
        user_name = src.get("user_name")
        session_id = src.get("session_id")
        project_id = src.get("project_id")
        estimated_cost_usd = src.get("estimated_cost_usd")
        effective_rate_usd_per_million_tokens = src.get("effective_rate_usd_per_million_tokens")
        effective_rate_usd_per_gigabyte_month = src.get("effective_rate_usd_per_gigabyte_month")
        return cls(
            parse_time(src["bucket_start"]),
            parse_time(src["bucket_end"]),
            tagged(
                src["event_info"],
                "type",
                {
                    "training": TrainingBillingEvent,
                    "sampling_prefill": SamplingPrefillBillingEvent,
                    "sampling_sample": SamplingSampleBillingEvent,
                    "checkpoint": CheckpointBillingEvent,
                    "storage": StorageBillingEvent,
                },
            ),
            base_model,
            user_id,
            user_name,
            session_id,
            project_id,
            estimated_cost_usd,
            effective_rate_usd_per_million_tokens,
            effective_rate_usd_per_gigabyte_month,
        )


from ..models.checkpoint_billing_event import CheckpointBillingEvent  # noqa: E402
from ..models.sampling_prefill_billing_event import SamplingPrefillBillingEvent  # noqa: E402
from ..models.sampling_sample_billing_event import SamplingSampleBillingEvent  # noqa: E402
from ..models.storage_billing_event import StorageBillingEvent  # noqa: E402
from ..models.training_billing_event import TrainingBillingEvent  # noqa: E402
