"""A fact of the contract that code has to spell out is spelled out in full."""

from __future__ import annotations

from tinker._training import checks, metrics
from tinker_api.models.loss_fn_type import LOSS_FN_TYPE_VALUES
from tinker_api.models.metric_reduction import METRIC_REDUCTION_VALUES
from tinker_local.engine import losses


def test_each_reduction_of_the_contract_is_reduced() -> None:
    """`unique` keeps every value, so it has no function."""
    assert {*metrics._REDUCERS, "unique"} == METRIC_REDUCTION_VALUES
    for reduction in METRIC_REDUCTION_VALUES:
        reduced = metrics.reduce([(1.0, {f"m:{reduction}": 1.0}), (3.0, {f"m:{reduction}": 5.0})])
        right = {
            "mean": {"m:mean": 4.0},
            "sum": {"m:sum": 6.0},
            "min": {"m:min": 1.0},
            "max": {"m:max": 5.0},
            "slack": {"m:slack": 1.0},
            "unique": {"m:unique": 1.0, "m:unique_1": 5.0},
            "hash2": {"m:hash2": 6},
            "hash_unordered": {"m:hash_unordered": 6},
        }
        assert reduced == right[reduction]


def test_each_loss_of_the_contract_is_checked_and_computed() -> None:
    """The engine computes `custom` from its graph."""
    assert set(losses.LOSSES) | {"custom"} == LOSS_FN_TYPE_VALUES
    assert set(checks._LOSSES) >= LOSS_FN_TYPE_VALUES
