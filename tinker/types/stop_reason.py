"""`StopReason`: why a sample ended."""

from __future__ import annotations

from tinker_api.models.stop_reason import StopReason

__all__ = ["StopReason"]
