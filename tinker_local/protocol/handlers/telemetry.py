"""Events clients report."""

from __future__ import annotations

from typing import Any

from tinker_local.protocol.backend import Backend, Call


async def telemetry(backend: Backend, call: Call) -> dict[str, Any]:
    """Events are accepted and discarded, because they may contain data that should not be kept."""
    return {"status": "accepted"}
