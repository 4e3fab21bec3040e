"""`Datum`: one training example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs
import numpy as np

from tinker.types._arrays import is_torch
from tinker.types.loss_fn_inputs import LossFnInputs
from tinker.types.model_input import ModelInput
from tinker.types.provenance_spans import ProvenanceSpan, ProvenanceSpans, to_spans
from tinker.types.tensor_data import TensorData, to_tensor_data
from tinker.types.tensor_dtype import TensorDtype
from tinker_api.model import Model

_DTYPES: Mapping[str, TensorDtype] = {
    "target_tokens": "int64",
    "weights": "float32",
    "advantages": "float32",
    "logprobs": "float32",
    "clip_low_threshold": "float32",
    "clip_high_threshold": "float32",
    "sequence_ratio_mask": "float32",
}
_MOSTLY_ZERO = frozenset({"target_tokens", "weights"})


class UntypedInputError(KeyError):
    """A list was given for an input whose element type is not known."""

    def __str__(self) -> str:
        return str(self.args[0])


def _to_model_input(value: ModelInput | Mapping[str, Any]) -> ModelInput:
    if isinstance(value, ModelInput):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"model_input is of type {type(value).__name__}; it must be a ModelInput.")
    return ModelInput.model_validate(value)


def _to_loss_fn_inputs(inputs: Mapping[str, Any]) -> LossFnInputs:
    if not isinstance(inputs, (dict, Mapping)):  # checking for dict is faster than for Mapping
        raise TypeError(f"loss_fn_inputs is of type {type(inputs).__name__}; it must be a mapping.")
    return {name: _to_loss_fn_input(name, value) for name, value in inputs.items()}


def _to_loss_fn_input(name: str, value: Any) -> TensorData:
    if isinstance(value, TensorData):
        return value
    try:
        if isinstance(value, np.ndarray):
            return TensorData.from_numpy(value)
        if isinstance(value, (list, tuple)):
            return TensorData(value, _dtype_of_list(name))
        if name in _MOSTLY_ZERO and is_torch(value):
            return TensorData.from_torch_sparse(value)
        return to_tensor_data(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"loss_fn_inputs[{name!r}]: {error}") from None


def _dtype_of_list(name: str) -> TensorDtype:
    if name not in _DTYPES:
        raise UntypedInputError(
            f"loss_fn_inputs[{name!r}] is a list, and its element type is not known; give a numpy "
            f"array, a torch tensor or a TensorData. Lists are known for {', '.join(_DTYPES)}."
        )
    return _DTYPES[name]


@attrs.frozen
class Datum(Model):
    """A model input, and the other inputs of the loss.

    Args:
        model_input: What the model reads.
        loss_fn_inputs: Arrays by name, each as long as the model input unless the loss says otherwise:
            TensorData, numpy arrays or torch tensors under any name; lists under `target_tokens`
            (int64), `weights`, `advantages`, `logprobs`, `clip_low_threshold`,
            `clip_high_threshold` and `sequence_ratio_mask` (float32). Torch tensors with two axes
            under `target_tokens` or `weights` become sparse where that is smaller.
        model_input_spans: See `with_provenance`.
        loss_fn_input_spans: See `with_provenance`.

    Values are converted once, here; see TensorData.

    Raises:
        UntypedInputError: A list under another name. It is a KeyError.
        TypeError: A value is none of the above.
        ValueError: A value is ragged, or its elements do not fit.
    """

    model_input: ModelInput = attrs.field(converter=_to_model_input)
    loss_fn_inputs: LossFnInputs = attrs.field(factory=dict, converter=_to_loss_fn_inputs)
    model_input_spans: ProvenanceSpans | None = attrs.field(default=None, converter=to_spans)
    loss_fn_input_spans: ProvenanceSpans | None = attrs.field(default=None, converter=to_spans)

    def __attrs_post_init__(self) -> None:
        if (self.model_input_spans is None) != (self.loss_fn_input_spans is None):
            raise ValueError("give both model_input_spans and loss_fn_input_spans, or neither.")

    def with_provenance(
        self, model_input: Sequence[ProvenanceSpan], loss_fn_inputs: Sequence[ProvenanceSpan]
    ) -> Self:
        """This datum, with the earlier samples that its tokens come from.

        Args:
            model_input: Spans that cover the positions of `model_input`, in order and exactly.
            loss_fn_inputs: The same for the positions of `target_tokens`.

        Raises:
            ValueError: The spans cover more or fewer positions.
        """
        _check_cover("model_input", model_input, self.model_input.length)
        target = self.loss_fn_inputs.get("target_tokens")
        if target is not None and target.shape:
            _check_cover("target_tokens", loss_fn_inputs, target.shape[0])
        return attrs.evolve(self, model_input_spans=model_input, loss_fn_input_spans=loss_fn_inputs)


def _check_cover(name: str, spans: Sequence[ProvenanceSpan], length: int) -> None:
    covered = sum(span.length for span in to_spans(spans) or ())
    if covered != length:
        raise ValueError(
            f"the provenance spans cover {covered} positions; {name} has {length}, "
            "and they must cover each of them once."
        )
