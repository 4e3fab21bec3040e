"""The metrics at each optimizer step of a training run, for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from tinker_local.state.store import Store

STEP = ""
"""Name under which a step itself is recorded, with its time."""


class Curves:
    """Metrics by run, name and step. Batches between two steps are reduced: sums add up, means are weighted."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, model_id: str, metrics: Mapping[str, float], weight: float) -> None:
        """Add the metrics of a batch to its step; inside a transaction."""
        step = self._steps(model_id) + 1
        for name, value in metrics.items():
            if math.isfinite(value):
                if name.endswith(":sum"):
                    self._add(model_id, name, step, value, 0)
                else:
                    self._add(model_id, name, step, value * weight, weight)

    def step(self, model_id: str) -> None:
        """Record that a step is taken."""
        self._add(model_id, STEP, self._steps(model_id) + 1, self._store.now(), 0)

    def _add(self, model_id: str, name: str, step: int, total: float, weight: float) -> None:
        self._store.write(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "total = total + excluded.total, weight = weight + excluded.weight",
            *(model_id, name, step, total, weight),
        )
        self._store.write(
            "INSERT INTO curves VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "steps = excluded.steps, total = total + excluded.total",
            *(model_id, name, step, total),
        )

    def _steps(self, model_id: str, name: str = STEP) -> int:
        query = "SELECT steps FROM curves WHERE model_id = ? AND name = ?"
        rows = self._store.tuples(query, model_id, name)
        return int(rows[0][0]) if rows else 0

    def names(self, owner: str) -> list[str]:
        """The metrics that runs of a user have."""
        query = """SELECT DISTINCT name FROM models JOIN curves ON model_id = models.id
            WHERE owner = ? AND name != ''"""
        return sorted(name for (name,) in self._store.tuples(query, owner))

    def curve(
        self, model_id: str, name: str, first: int, last: int, points: int
    ) -> dict[str, list[Any]]:
        """The steps from first to last, thinned out evenly to about so many, and their values."""
        first, last = max(first, 0), min(last, self._steps(model_id, name))
        stride = max(1, math.ceil((last - first + 1) / points))
        # Every stride-th step wherever it begins, so that the curves of several runs have the same steps.
        steps = [*range(-(-first // stride) * stride, last, stride), last]
        query = """SELECT step, CASE weight WHEN 0 THEN total ELSE total / weight END
            FROM json_each(?) AS wanted CROSS JOIN metrics
            WHERE model_id = ? AND name = ? AND step = wanted.value"""
        rows = self._store.tuples(query, orjson.dumps(steps).decode(), model_id, name)
        return {"steps": [row[0] for row in rows], "values": [row[1] for row in rows]}
