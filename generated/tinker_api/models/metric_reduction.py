from typing import Literal

MetricReduction = Literal["hash2", "hash_unordered", "max", "mean", "min", "slack", "sum", "unique"]

METRIC_REDUCTION_VALUES: set[MetricReduction] = {
    "hash2",
    "hash_unordered",
    "max",
    "mean",
    "min",
    "slack",
    "sum",
    "unique",
}


def check_metric_reduction(value: str) -> MetricReduction:
    if value in METRIC_REDUCTION_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {METRIC_REDUCTION_VALUES!r}")
