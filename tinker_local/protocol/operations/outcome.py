"""The result of an operation, and its context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from attrs import frozen

from tinker._codec.media_types import JSON
from tinker_local.engine.base import Adapter, Engine
from tinker_local.protocol.operations.adapters import Adapters
from tinker_local.state.catalog import Catalog
from tinker_local.state.recordings import Recordings
from tinker_local.state.snapshots import Snapshots
from tinker_local.state.store import Row, Store

Commit = Callable[[], None]
"""Writes the changes of an operation, inside the transaction that records its result. May fail the operation."""


def _nothing() -> None:
    pass


@frozen(kw_only=True)
class Outcome:
    """The result of a successful operation, and its changes."""

    result: bytes
    media_type: str = JSON
    commit: Commit = _nothing
    adapter: Adapter | None = None
    """The model's adapter once this is committed, if the operation changed it."""
    metrics: Mapping[str, float] = {}
    """Metrics to show from step to step."""
    weight: float = 1.0
    """Weight of these metrics among those of the same step."""
    can_be_repeated: bool = False
    """Whether repeating the request alone changes the adapter in the same way. If not, `commit` must replace the
    snapshot."""


def json_outcome(
    result: dict[str, Any], commit: Commit = _nothing, adapter: Adapter | None = None
) -> Outcome:
    return Outcome(result=orjson.dumps(result), commit=commit, adapter=adapter)


@frozen
class Context:
    """The context of every operation."""

    store: Store
    engine: Engine[Any]
    catalog: Catalog
    recordings: Recordings
    adapters: Adapters
    snapshots: Snapshots

    def model(self, model_id: str) -> Row:
        """The row of a model, which exists because one of its operations has a promise."""
        row = self.store.get("models", model_id)
        assert row is not None
        return row

    def count(self, model_id: str, kind: str, amount: float) -> None:
        """Count usage of a model."""
        model = self.model(model_id)
        base_model = model["facts"]["base_model"]
        self.store.use(model["owner"], model["session_id"], base_model, kind, amount)
