"""The list of models that a request can name."""

from __future__ import annotations

from typing import Any

from tinker_local.protocol.backend import Backend, Call


async def list_models(backend: Backend, call: Call) -> dict[str, Any]:
    query, *values = backend.catalog.query_of_user(call.user)
    saved = [
        row for row in backend.store.select(query, *values) if row["kind"] == "sampler_weights"
    ]
    models: list[dict[str, Any]] = [
        {
            "id": row["path"],
            "object": "model",
            "created": int(row["created"]),
            "owned_by": row["owner"],
            "parent": row["facts"]["base_model"],
        }
        for row in saved
    ]
    base = {"object": "model", "created": 0, "owned_by": "system", "parent": None}
    models += [{"id": name, **base} for name in backend.engine.models]
    return {"object": "list", "data": models}
