from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ClientDynamicConfigResponse(Schema):
    """Settings that may change while a client runs. Absent fields have their defaults."""

    refresh_interval_sec: int = 300
    """ Seconds until the client should read the settings again; clients wait at least 10. """

    sample_cancel_enabled: bool = False
    """ Whether the server offers `cancel_future`. """

    sample_cancel_max_batch_size: int = 64
    """ Maximum number of cancellations that are sent at the same time. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "refresh_interval_sec": self.refresh_interval_sec,
            "sample_cancel_enabled": self.sample_cancel_enabled,
            "sample_cancel_max_batch_size": self.sample_cancel_max_batch_size,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        refresh_interval_sec = src.get("refresh_interval_sec")
        sample_cancel_enabled = src.get("sample_cancel_enabled")
        sample_cancel_max_batch_size = src.get("sample_cancel_max_batch_size")
        return cls(
            300 if refresh_interval_sec is None else refresh_interval_sec,
            False if sample_cancel_enabled is None else sample_cancel_enabled,
            64 if sample_cancel_max_batch_size is None else sample_cancel_max_batch_size,
        )
