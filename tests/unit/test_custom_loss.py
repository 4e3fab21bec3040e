"""What a loss in numpy may return, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinker
from tinker.custom_loss import evaluate, merged
from tinker.types import ForwardBackwardOutput

LOGPROBS = [np.array([-1.0, -2.0], np.float32), np.array([-3.0], np.float32)]


def loss(*returned: Any) -> tinker.NumpyLoss:
    return tinker.NumpyLoss(lambda data, logprobs: returned)


@pytest.mark.parametrize("value", [1, 1.0, np.float32(1), np.array(1.0), np.array([1.0]), True])
def test_numbers_of_any_kind_are_numbers(value: Any) -> None:
    gradients = [[1.0, 2.0], np.array([3])]
    found, metrics, checked = evaluate(loss(value, {"m": value}, gradients), [], LOGPROBS)
    assert (found, metrics) == (1.0, {"m": 1.0})
    assert [g.tolist() for g in checked] == [[1.0, 2.0], [3.0]]
    assert {g.dtype for g in checked} == {np.dtype(np.float32)}


def test_a_loss_that_changes_its_arguments_does_not_change_the_logprobs() -> None:
    def spoils(data: Any, logprobs: Any) -> Any:
        for array in logprobs:
            array[:] = 0
        return 0.0, {}, logprobs

    evaluate(tinker.NumpyLoss(spoils), [], LOGPROBS)
    assert LOGPROBS[0].tolist() == [-1.0, -2.0]


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        (
            loss(1.0, {}),
            TypeError,
            r"returns \(loss, metrics, gradients\); this one returned a tuple of 2 elements",
        ),
        (loss("1", {}, LOGPROBS), TypeError, "The loss of a NumpyLoss is '1'; it must be a number"),
        (loss(None, {}, LOGPROBS), TypeError, "is None; it must be a number"),
        (
            loss(np.ones(3), {}, LOGPROBS),
            TypeError,
            r"is of type ndarray with shape \[3\]; it must be a number",
        ),
        (loss([1.0, 2.0], {}, LOGPROBS), TypeError, "is a list of 2 elements"),
        (loss("x" * 99, {}, LOGPROBS), TypeError, "is of type str; it must be a number"),
        (loss(np.inf, {}, LOGPROBS), ValueError, "The custom loss is inf; it must be finite"),
        (loss(1.0, [], LOGPROBS), TypeError, "are a list of 0 elements; they must be a dict"),
        (
            loss(1.0, {"m": "high"}, LOGPROBS),
            TypeError,
            r"metrics\['m'\] is 'high'; it must be a number",
        ),
        (loss(1.0, {}, {}), TypeError, "The gradients of a NumpyLoss are {}; they must be a list"),
        (loss(1.0, {}, "none"), TypeError, "they must be a list of arrays, one for each datum"),
        (loss(1.0, {}, LOGPROBS[:1]), ValueError, "There are 1 gradients for 2 datums"),
        (
            loss(1.0, {}, [["a", "b"], [1.0]]),
            TypeError,
            r"The gradient of data\[0\] is .*; it must be an array of numbers of shape \[2\]",
        ),
        (
            loss(1.0, {}, [LOGPROBS[0], [1.0, 2.0]]),
            ValueError,
            r"The gradient of data\[1\] has shape \[2\], its logprobs \[1\]",
        ),
        (
            loss(1.0, {}, [[0.0, np.nan], [1.0]]),
            ValueError,
            r"The gradient of data\[0\] is nan at \[1\]; it must be finite",
        ),
        (
            "cross_entropy",
            TypeError,
            "A loss is a function or a NumpyLoss; this one is of type str",
        ),
    ],
)
def test_what_is_wrong_is_said(wrong: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        evaluate(wrong, [], LOGPROBS)


@pytest.mark.parametrize("told", [{}, {"loss:sum": 5.0}])
def test_the_loss_of_the_caller_takes_the_place_of_the_surrogate(told: dict[str, float]) -> None:
    output = ForwardBackwardOutput(loss_fn_output_type="x", loss_fn_outputs=[], metrics=told)
    found = merged(output, 2.0, {"mine": 1.0}).metrics
    surrogate = {"surrogate_loss:sum": 5.0} if told else {}
    assert found == {**surrogate, "loss:sum": 2.0, "mine": 1.0}
