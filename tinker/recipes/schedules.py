"""Learning rates: a default that follows the model, and how the rate changes over a run."""

from __future__ import annotations

import math
import re
from typing import Literal, get_args

from tinker.recipes.errors import RecipeError

Schedule = Literal["linear", "cosine", "constant"]

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*([bm])(?![a-z])", re.IGNORECASE)
_REFERENCE_RATE = 5e-4
_REFERENCE_BILLIONS = 1.0
_EXPONENT = -0.3
_LEAST, _MOST = 5e-5, 1e-3
_TINY_RATE = 5e-3
PREFERENCE = 0.1
"""Preference pairs begin with this share of the default rate: the reference is near, and should stay so."""


def default_learning_rate(base_model: str, rank: int) -> float:
    """A rate to begin with: 5e-4 for a model of one billion parameters, less for larger ones.

    The rate falls with the 0.3rd power of the size in the model's name (1B: 5e-4, 8B: 2.7e-4, 70B: 1.4e-4), stays
    between 5e-5 and 1e-3, and is 1e-4 when the name has no size. The rank does not change it: servers scale an
    adapter's output by alpha / rank, which makes the best rate nearly the same for every rank from 4 on; below,
    it is halved, because a few directions carry the whole step. The embedded tiny model learns with 5e-3.
    """
    if base_model.startswith("tinker-local/"):
        return _TINY_RATE
    billions = _billions(base_model)
    if billions is None:
        rate = 1e-4
    else:
        rate = _REFERENCE_RATE * (billions / _REFERENCE_BILLIONS) ** _EXPONENT
        rate = min(max(rate, _LEAST), _MOST)
    if rank < 4:
        rate /= 2
    return float(f"{rate:.2g}")


def _billions(base_model: str) -> float | None:
    """Size of a model by its name: the first number followed by B or M (`30B-A3B` is 30)."""
    found = _SIZE.search(base_model.replace("-", " ").replace("_", " "))
    if found is None:
        return None
    size = float(found[1])
    return size if found[2].lower() == "b" else size / 1000


def scale(schedule: Schedule, step: int, steps: int, warmup_steps: int = 0) -> float:
    """The fraction of the learning rate that a step trains with.

    Args:
        schedule: `constant`; `linear`, falling to 0 after the last step; or `cosine`, likewise.
        step: From 0.
        steps: Of the whole run.
        warmup_steps: Steps over which the rate rises to its full value first; step 0 has 1 / warmup_steps of it.

    Returns:
        Between 0 and 1; more than 0 for every step of the run.
    """
    if schedule not in get_args(Schedule):
        raise RecipeError(
            f"The schedule {schedule!r} is not one of {', '.join(get_args(Schedule))}."
        )
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(steps - warmup_steps, 1)
    if schedule == "linear":
        return 1.0 - progress
    return 0.5 * (1.0 + math.cos(math.pi * progress))
