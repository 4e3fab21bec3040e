"""The order in which tokens are drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from tinker_local.engine.decoding import ranked

SCORES = st.floats(max_value=0, allow_nan=False) | st.sampled_from([0.0, -0.0, -1.0])


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=SCORES))
def test_the_most_probable_comes_first_and_of_equals_the_lowest_id(
    scores: npt.NDArray[np.float64],
) -> None:
    order, best = ranked(scores)
    for row, ids, sorted_scores in zip(scores.tolist(), order.tolist(), best, strict=True):
        assert ids == sorted(range(len(row)), key=lambda i: (-row[i], i))
        assert sorted_scores.tolist() == [row[i] for i in ids]
