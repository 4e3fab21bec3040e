from typing import Literal

FinishReasonType = Literal["errored", "interrupted", "success"]

FINISH_REASON_TYPE_VALUES: set[FinishReasonType] = {
    "errored",
    "interrupted",
    "success",
}


def check_finish_reason_type(value: str) -> FinishReasonType:
    if value in FINISH_REASON_TYPE_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {FINISH_REASON_TYPE_VALUES!r}")
