"""Recognizes numbers of Python and numpy, without importing numpy."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from numbers import Real
from typing import TypeGuard


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is an int, of Python or numpy, that fits into JSON's 64 bits; a bool is not."""
    try:
        return not isinstance(value, bool) and -(2**63) <= operator.index(value) < 2**64  # type: ignore[arg-type]
    except TypeError:
        return False


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number, of Python or numpy; a bool is not."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False  # an int that no float holds


def with_nan(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Metrics from JSON, where null stands for a number that is not finite."""
    return {name: math.nan if value is None else value for name, value in metrics.items()}
