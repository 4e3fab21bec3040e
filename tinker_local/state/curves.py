"""The metrics at each optimizer step of a training run, for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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

    def _steps(self, model_id: str) -> int:
        query = "SELECT steps FROM curves WHERE model_id = ? AND name = ?"
        rows = self._store.tuples(query, model_id, STEP)
        return int(rows[0][0]) if rows else 0

    def names(self, owner: str) -> list[str]:
        """The metrics that runs of a user have, a loss first."""
        query = """SELECT DISTINCT name FROM models JOIN curves ON model_id = models.id
            WHERE owner = ? AND name NOT IN ('', 'tokens:sum')"""
        names = [name for (name,) in self._store.tuples(query, owner)]
        return sorted(names, key=lambda name: (not name.startswith("loss"), name))

    def newest(self, owner: str, count: int) -> list[str]:
        """The ids of the newest runs of a user."""
        query = "SELECT id FROM models WHERE owner = ? ORDER BY created DESC LIMIT ?"
        return [model_id for (model_id,) in self._store.tuples(query, owner, count)]

    def table(
        self, owner: str, runs: Sequence[str], name: str, first: int, last: int, points: int
    ) -> dict[str, Any]:
        """The curves of those runs that belong to a user and have the metric, with the steps that they share.

        The steps are thinned out evenly to about so many, with the first and the last of each run. A run has None where it has no
        such step.
        """
        query = """SELECT model_id, steps FROM curves JOIN models ON models.id = model_id
            WHERE owner = ? AND name = ? AND model_id IN (SELECT value FROM json_each(?))"""
        found = dict(self._store.tuples(query, owner, name, _json(runs)))
        ends = {run: min(last, found[run]) for run in runs if run in found}
        first, last = max(first, 1), max(ends.values(), default=0)
        stride = max(1, math.ceil((last - first + 1) / points))
        # Every stride-th step wherever it begins, so that a curve keeps its shape while steps are added.
        thin = range(-(-first // stride) * stride, last + 1, stride)
        steps = sorted(
            {*thin, *(step for step in (first, *ends.values()) if first <= step <= last)}
        )
        # One row for a run: Python is asked once, however many steps there are.
        # JSON has no number for a sum that has overflowed.
        query = """SELECT json_group_array(CASE WHEN abs(total) < 9e999 THEN
            CASE weight WHEN 0 THEN total ELSE total / weight END END) FROM
            (SELECT total, weight FROM json_each(?)
             LEFT JOIN metrics ON model_id = ? AND name = ? AND step = value ORDER BY key)"""
        wanted = _json(steps)
        values = {run: self._store.tuples(query, wanted, run, name)[0][0] for run in ends}
        return {"steps": steps, "values": {run: orjson.loads(row) for run, row in values.items()}}


def _json(values: Sequence[Any]) -> str:
    return orjson.dumps(values).decode()
