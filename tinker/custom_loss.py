"""Custom losses: functions of the log-probabilities of a batch.

A function runs on this machine: the batch is scored first, the function returns the loss and its gradient by
each log-probability, which goes back as the weights of a cross-entropy that has this gradient.

    def loss(data, logprobs):                    # torch: gradients come from autograd
        total = -sum((lp * w).sum() for lp, w in zip(logprobs, weights))
        return total, {"tokens": float(sum(len(lp) for lp in logprobs))}

    NumpyLoss(lambda data, logprobs: (value, metrics, gradients))    # numpy: it brings its own

Or it is traced once and runs on the server: see `ServiceClient.create_custom_loss`.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, TypeAlias

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from tinker import types
from tinker_api import models

if TYPE_CHECKING:
    import torch

Array: TypeAlias = npt.NDArray[np.float32]
CustomLossFnV1: TypeAlias = Callable[[list[types.Datum], list[Any]], tuple[Any, dict[str, float]]]
PerDatumLossFn: TypeAlias = Callable[
    Concatenate["torch.Tensor", ...],
    # From typing: annotations with optional packages stay strings.
    typing.Tuple["torch.Tensor", typing.Mapping[str, "torch.Tensor"]],  # noqa: UP006
]
NumpyLossFn: TypeAlias = Callable[
    [list[types.Datum], list[Array]], tuple[float, Mapping[str, float], Sequence[Array]]
]


@frozen
class NumpyLoss:
    """A loss in numpy, without torch.

    Args:
        function: Takes the data and, for each datum, the log-probabilities of its targets; returns the loss,
            metrics, and for each datum the gradient of the loss by those, in their shape.
    """

    function: NumpyLossFn


@frozen
class LossHandle:
    """A loss that was traced and registered with the server; `forward_backward_custom` accepts it in place of a function."""

    name: str
    inputs: tuple[models.CustomLossInput, ...]
    session_id: str
    graph: Any = field(repr=False)
    """The `torch.fx.GraphModule` it was traced to."""
    loss_id: str | None = None

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.inputs)

    @property
    def key(self) -> str:
        """The value for `loss_fn_config["loss_id"]`."""
        return self.loss_id or ""


Evaluated: TypeAlias = tuple[float, dict[str, float], list[Array]]
"""The loss, the metrics, and the gradient for each datum."""


def evaluate(
    loss_fn: CustomLossFnV1 | NumpyLoss, data: Sequence[types.Datum], logprobs: Sequence[Array]
) -> Evaluated:
    """Run a loss function, and check what it returns. Gradients have the type of the log-probabilities.

    Raises:
        ValueError: The loss is not one finite number, or a gradient has the wrong shape; the message says which.
        TypeError: It returns something else.
    """
    if isinstance(loss_fn, NumpyLoss):
        returned: Any = loss_fn.function(list(data), [array.copy() for array in logprobs])
        if not isinstance(returned, tuple) or len(returned) != 3:
            raise TypeError(
                f"A NumpyLoss returns (loss, metrics, gradients); this one returned {_shown(returned)}."
            )
        loss, metrics, gradients = returned
        value = _number("The loss of a NumpyLoss", loss)
        if isinstance(gradients, str | Mapping) or not isinstance(gradients, Sequence | np.ndarray):
            raise TypeError(
                f"The gradients of a NumpyLoss are {_shown(gradients)}; they must be a list of arrays, one for "
                "each datum."
            )
    elif not callable(loss_fn):
        raise TypeError(
            f"A loss is a function or a NumpyLoss; this one is of type {type(loss_fn).__name__}."
        )
    else:
        value, metrics, gradients = _by_torch(loss_fn, data, logprobs)
    if not math.isfinite(value):
        raise ValueError(f"The custom loss is {value}; it must be finite.")
    if not isinstance(metrics, Mapping):
        raise TypeError(f"The metrics of a custom loss are {_shown(metrics)}; they must be a dict.")
    numbers = {str(name): _number(f"metrics[{name!r}]", number) for name, number in metrics.items()}
    if len(gradients) != len(logprobs):
        raise ValueError(f"There are {len(gradients)} gradients for {len(logprobs)} datums.")
    checked = []
    for index, (gradient, array) in enumerate(zip(gradients, logprobs, strict=True)):
        try:
            own = np.asarray(gradient, dtype=array.dtype)
        except (TypeError, ValueError):
            raise TypeError(
                f"The gradient of data[{index}] is {_shown(gradient)}; it must be an array of numbers of shape "
                f"{list(array.shape)}."
            ) from None
        if own.shape != array.shape:
            raise ValueError(
                f"The gradient of data[{index}] has shape {list(own.shape)}, its logprobs {list(array.shape)}."
            )
        if not np.isfinite(own).all():
            place = np.argwhere(~np.isfinite(own))[0].tolist()
            raise ValueError(
                f"The gradient of data[{index}] is {own[tuple(place)]} at {place}; it must be finite."
            )
        checked.append(own)
    return value, numbers, checked


def _number(name: str, value: Any) -> float:
    """Convert a number of Python or numpy, or a tensor or an array of one element."""
    if not isinstance(value, str | bytes):
        try:
            return float(value.item() if hasattr(value, "item") else value)
        except (TypeError, ValueError, RuntimeError):  # of these, torch raises the last
            pass
    raise TypeError(f"{name} is {_shown(value)}; it must be a number.")


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"of type {type(value).__name__} with shape {list(shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} elements"
    text = repr(value)
    return text if len(text) <= 60 else f"of type {type(value).__name__}"


def _by_torch(
    loss_fn: CustomLossFnV1, data: Sequence[types.Datum], logprobs: Sequence[Array]
) -> tuple[float, Mapping[str, float], list[Array]]:
    try:
        import torch  # noqa: PLC0415  # only who writes losses in it has it
    except ModuleNotFoundError:
        raise TypeError(
            "A loss function takes torch tensors, and torch is not installed: pip install torch, or pass "
            "tinker.NumpyLoss(function), whose function returns its own gradients."
        ) from None
    leaves = [torch.tensor(array, requires_grad=True) for array in logprobs]
    loss, metrics = run_in_torch(loss_fn, data, leaves)
    gradients = torch.autograd.grad(loss, leaves, materialize_grads=True)
    return float(loss.detach()), metrics, [gradient.numpy() for gradient in gradients]


def run_in_torch(
    loss_fn: CustomLossFnV1, data: Sequence[types.Datum], logprobs: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, Mapping[str, float]]:
    """Run a loss function in torch, and check what it returns: a scalar loss, and metrics."""
    import torch  # noqa: PLC0415  # as above

    returned: Any = loss_fn(list(data), list(logprobs))
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(
            f"A loss function returns (loss, metrics); this one returned {_shown(returned)}."
        )
    loss, metrics = returned
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise TypeError(f"The loss is {_shown(loss)}; it must be a torch tensor of one element.")
    if not loss.requires_grad:
        raise ValueError("The loss does not depend on the logprobs: there is nothing to train on.")
    return loss.reshape(()), metrics


def with_weights(datum: types.Datum, gradient: Array | None) -> types.Datum:
    """The datum whose cross-entropy has this gradient; None means a gradient of zero."""
    targets = datum.loss_fn_inputs["target_tokens"]
    weights = np.zeros(targets.to_numpy().shape, np.float32)
    if gradient is not None:
        weights[: len(gradient)] = -gradient  # no gradient for an invented last target
    inputs = {"target_tokens": targets, "weights": types.TensorData.from_numpy(weights)}
    return types.Datum(model_input=datum.model_input, loss_fn_inputs=inputs)


def merged(
    output: types.ForwardBackwardOutput, value: float, metrics: Mapping[str, float]
) -> types.ForwardBackwardOutput:
    """The result of the backward pass, with the caller's loss in place of the surrogate."""
    found = dict(output.metrics)
    if "loss:sum" in found:
        found["surrogate_loss:sum"] = found.pop("loss:sum")
    return types.ForwardBackwardOutput(
        loss_fn_output_type=output.loss_fn_output_type,
        loss_fn_outputs=output.loss_fn_outputs,
        metrics={**found, "loss:sum": value, **metrics},
    )
