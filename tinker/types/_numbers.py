"""What counts as a number: those of Python, and those of numpy, which is not imported for it."""

from __future__ import annotations

import math
import operator
from numbers import Real


def is_whole(value: object) -> bool:
    """Whether it is an int, of Python or numpy, that JSON's 64 bits hold; a bool is none."""
    try:
        return not isinstance(value, bool) and -(2**63) <= operator.index(value) < 2**64  # type: ignore[arg-type]
    except TypeError:
        return False


def is_number(value: object) -> bool:
    """Whether it is a finite number, of Python or numpy; a bool is none."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False  # an int that no float holds
