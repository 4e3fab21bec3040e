"""The handlers of the contract's operations: one module for each tag.

A handler takes the backend and the call, and returns the JSON of a 200, or a `Response`, or raises a
`Refusal`. Its name is the operationId.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.handlers import (
    admin,
    anthropic,
    auth,
    checkpoint_search,
    checkpoints,
    futures,
    models,
    openai,
    sampling,
    service,
    sessions,
    telemetry,
    training,
    uploads,
    weights,
)

Handler = Callable[[Backend, Call], Awaitable[dict[str, Any] | Response]]

MODULES = (
    service,
    auth,
    sessions,
    models,
    training,
    weights,
    uploads,
    sampling,
    futures,
    checkpoints,
    checkpoint_search,
    admin,
    telemetry,
    openai,
    anthropic,
)


def handler(operation_id: str) -> Handler:
    for module in MODULES:
        found: Handler | None = getattr(module, operation_id, None)
        if found is not None:
            return found
    raise LookupError(f"the contract has {operation_id}, but there is no handler of this name")
