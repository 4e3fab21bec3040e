"""Code that must list a fact of the contract lists all of it. Values: tests/unit/test_metrics.py and engine/test_tiny_losses.py."""

from __future__ import annotations

from tinker._training import checks, metrics
from tinker_api.models.loss_fn_type import LOSS_FN_TYPE_VALUES
from tinker_api.models.metric_reduction import METRIC_REDUCTION_VALUES
from tinker_local.engine import losses


def test_each_reduction_of_the_contract_is_reduced() -> None:
    """`unique` keeps every value, so it has no function."""
    assert {*metrics._REDUCERS, "unique"} == METRIC_REDUCTION_VALUES


def test_each_loss_of_the_contract_is_checked_and_computed() -> None:
    """The engine computes `custom` from its graph."""
    assert set(losses.LOSSES) | {"custom"} == LOSS_FN_TYPE_VALUES
    assert set(checks._LOSSES) >= LOSS_FN_TYPE_VALUES
