"""`TopkLogprobs`: the most likely tokens at each position."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, Self, TypeAlias

import attrs
import numpy as np

from tinker.types._arrays import Float32Array, Int32Array, same_array
from tinker_api.model import Model

TopkList: TypeAlias = list[list[tuple[int, float]] | None]
"""For each position `(token id, logprob)` pairs, most likely first; None where there are none."""

NO_LOGPROB = -99999.0
"""Logprob of an empty cell."""

_by_value = attrs.cmp_using(eq=same_array, class_name="Array")


def _show(array: Any) -> str:
    return f"<{array.dtype} {list(array.shape)}>"


@attrs.frozen
class TopkLogprobs(Model):
    """Token ids and log-probabilities, shape [length, k]; empty cells have the logprob -99999."""

    token_ids: Int32Array = attrs.field(eq=_by_value, repr=_show)
    logprobs: Float32Array = attrs.field(eq=_by_value, repr=_show)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def from_list(cls, rows: Sequence[Sequence[Any] | None]) -> Self:
        """Build from pairs; the inverse of `to_list`."""
        shape = (len(rows), max((len(row) for row in rows if row), default=0))
        token_ids = np.zeros(shape, np.int32)
        logprobs = np.full(shape, NO_LOGPROB, np.float32)
        for position, row in enumerate(rows):
            if row:
                token_ids[position, : len(row)], logprobs[position, : len(row)] = zip(
                    *row, strict=True
                )
        return cls(token_ids, logprobs)

    def to_list(self) -> TopkList:
        """Pairs for each position, without empty cells; None for a position with only empty cells."""
        rows: TopkList = []
        for ids, values in zip(self.token_ids.tolist(), self.logprobs.tolist(), strict=True):
            pairs = [pair for pair in zip(ids, values, strict=True) if pair[1] != NO_LOGPROB]
            rows.append(pairs or None)
        return rows


def topk_as_list(value: TopkLogprobs | Sequence[Any] | None) -> TopkList | None:
    """Convert either form to pairs. A logprob of None is NaN, as in JSON."""
    if value is None:
        return None
    if isinstance(value, TopkLogprobs):
        return value.to_list()
    return [
        None if row is None else [(pair[0], nan if pair[1] is None else pair[1]) for pair in row]
        for row in value
    ]


def topk_as_arrays(value: TopkLogprobs | Sequence[Any] | None) -> TopkLogprobs | None:
    """Convert either form to arrays."""
    if value is None or isinstance(value, TopkLogprobs):
        return value
    return TopkLogprobs.from_list(value)
