"""Checks of a batch before anything is sent. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import numpy as np
from attrs import evolve, frozen

from tinker._codec.json import LOSSES_BY_PROVENANCE
from tinker.types import Datum, ForwardBackwardOutput, LossFnType, TensorData
from tinker.types._numbers import is_number


@frozen
class _Loss:
    needs: tuple[str, ...]
    """Inputs without which the loss is not defined."""
    takes: tuple[str, ...] | None = ()
    """Other inputs that it reads; None means any input."""
    config: tuple[str, ...] | None = ()
    """Keys of its configuration, including those of open servers; None means that they are not known."""


_POLICY_INPUTS = ("target_tokens", "logprobs", "advantages")
_CLIP = ("clip_low_threshold", "clip_high_threshold")
_LOSSES: dict[str, _Loss] = {
    "cross_entropy": _Loss(("target_tokens",), ("weights",)),
    "importance_sampling": _Loss(_POLICY_INPUTS),
    "ppo": _Loss(_POLICY_INPUTS, _CLIP, (*_CLIP, "value_clip")),
    "cispo": _Loss(_POLICY_INPUTS, _CLIP, _CLIP),
    "dro": _Loss(_POLICY_INPUTS, (), ("beta",)),
    "gspo": _Loss(_POLICY_INPUTS, (*_CLIP, "sequence_ratio_mask"), _CLIP),
    "stable_reinforce": _Loss(("target_tokens", "advantages"), ("logprobs",), None),
    "custom": _Loss(("target_tokens",), None, None),
}
assert set(_LOSSES) == set(get_args(LossFnType)), "one entry for each loss of the contract"
_LOSSES |= {
    # Losses of open servers that are not in the contract: two of SkyRL, and one of TuFT.
    "dppo": _Loss(_POLICY_INPUTS, (), ("delta_low", "delta_high")),
    "ppo_critic": _Loss(("values", "returns"), ("target_tokens",), ("value_clip",)),
    "trinity_ppo": _Loss(
        _POLICY_INPUTS, (), ("clip_range", "clip_ratio_c", "kl_coef", "num_total_datums")
    ),
}


def prepare(
    data: Iterable[Datum], loss_fn: str, loss_fn_config: Mapping[str, float | str] | None
) -> list[Datum]:
    """Check a batch, and fill in optional inputs of `cross_entropy`.

    With `cross_entropy`, missing `target_tokens` mean the next-token objective: the input shifted by
    one, with weight 1 for each position except the last. Missing `weights` mean 1 everywhere else.

    Raises:
        ValueError: The batch is empty; an array is missing, unknown to the loss, ragged, too long or too short;
            an array that the loss reads is not finite; without targets, `weights` are not 0 at the last
            position; the loss or a key of its configuration is not known; the loss needs provenance spans,
            and a datum has none, or they do not cover each position once.
        TypeError: `data` holds something that is not a Datum, or `loss_fn_config` is not a mapping.
    """
    loss = _LOSSES.get(loss_fn)
    if loss is None:
        raise ValueError(f"loss_fn is {loss_fn!r}; allowed: {', '.join(_LOSSES)}.")
    _check_config(loss_fn, loss, loss_fn_config)
    return [_prepare_datum(i, datum, loss_fn, loss) for i, datum in enumerate(listed(data))]


def listed(data: Iterable[Datum]) -> list[Datum]:
    """The datums of a batch. Raises TypeError for anything else, ValueError if the batch is empty."""
    if isinstance(data, Datum):
        raise TypeError("data is one Datum; it must be a list: [datum].")
    datums = list(data)
    if not datums:
        raise ValueError("data is empty; a batch needs at least one Datum.")
    for index, datum in enumerate(datums):
        if not isinstance(datum, Datum):
            raise TypeError(f"data[{index}] is a {type(datum).__name__}; it must be a Datum.")
    return datums


def _check_config(loss_fn: str, loss: _Loss, config: Mapping[str, float | str] | None) -> None:
    if config is not None and not isinstance(config, Mapping):
        raise TypeError(
            f"loss_fn_config is of type {type(config).__name__}; it must be a dict, such as "
            "{'clip_high_threshold': 1.2}."
        )
    for key, value in (config or {}).items():
        if loss.config is not None and key not in loss.config:
            allowed = ", ".join(loss.config) or "none"
            raise ValueError(
                f"loss_fn_config has {key!r}; {loss_fn} takes these keys: {allowed}."
                f"{_did_you_mean(key, loss.config)}"
            )
        if isinstance(value, str) and loss.config is None:
            continue
        unlimited = key in _CLIP and value in (math.inf, -math.inf)
        if not (unlimited or is_number(value)):
            raise ValueError(f"loss_fn_config[{key!r}] is {value!r}; it must be a finite number.")


def _prepare_datum(index: int, datum: Datum, loss_fn: str, loss: _Loss) -> Datum:
    datum = _with_floats(datum)
    inputs = datum.loss_fn_inputs
    is_invented = loss_fn == "cross_entropy" and has_invented_target(datum)
    if loss_fn == "cross_entropy" and not ("target_tokens" in inputs and "weights" in inputs):
        datum = _fill_cross_entropy(index, datum)
        inputs = datum.loss_fn_inputs
    length = _length(datum)
    if loss.takes is not None:
        _check_names(index, inputs, loss_fn, (*loss.needs, *loss.takes))
    for name in loss.needs:
        if name not in inputs:
            raise ValueError(
                f"data[{index}].loss_fn_inputs has no {name!r}, which {loss_fn} needs; "
                f"it has {', '.join(inputs) or 'nothing'}."
            )
    target = inputs.get("target_tokens")
    if target is not None and target.dtype != "int64":
        raise ValueError(f"data[{index}].target_tokens is {target.dtype}; it must be int64.")
    for name, tensor in inputs.items():
        wrong = _wrong_shape(name, tensor, length, target)
        if not wrong and loss_fn != "custom":
            wrong = _not_finite(name, tensor)
        if wrong:
            raise ValueError(f"data[{index}].loss_fn_inputs[{name!r}]{wrong}")
    if is_invented and (last := inputs["weights"].to_numpy()[-1]) != 0:
        raise ValueError(
            f"data[{index}].loss_fn_inputs['weights'][-1] is {last:g}; without target_tokens the last position "
            "has no next token to predict, and its weight must be 0. To train it, give target_tokens."
        )
    if loss_fn in LOSSES_BY_PROVENANCE:
        _check_provenance(f"data[{index}]", datum, loss_fn)
    return datum


def _check_names(
    index: int, inputs: Mapping[str, TensorData], loss_fn: str, known: tuple[str, ...]
) -> None:
    """Raise for inputs that the loss does not read: it would silently ignore them."""
    for name in inputs:
        if name not in known:
            raise ValueError(
                f"data[{index}].loss_fn_inputs has {name!r}; {loss_fn} takes these inputs: "
                f"{', '.join(known)}.{_did_you_mean(name, known)}"
            )


def _did_you_mean(name: object, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only for mistakes

    close = get_close_matches(str(name).lower(), list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _check_provenance(where: str, datum: Datum, loss_fn: str) -> None:
    if datum.model_input_spans is None or datum.loss_fn_input_spans is None:
        raise ValueError(
            f"{where} has no provenance spans, which {loss_fn} needs: name the samples it comes from with "
            "Datum.with_provenance."
        )
    try:
        datum.with_provenance(datum.model_input_spans, datum.loss_fn_input_spans)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _wrong_shape(
    name: str, tensor: TensorData, length: int | None, target: TensorData | None
) -> str | None:
    """What is wrong with an input's shape, as the end of a sentence."""
    rows = tensor.shape[0] if tensor.shape else None
    of_tokens = name == "target_tokens" or name in _FLOAT_INPUTS
    if of_tokens and length is not None and rows is not None and rows != length:
        return f" has length {rows}; it must be as long as the model_input: {length}."
    if target is not None and name in _FLOAT_INPUTS and tensor.shape != target.shape:
        return f" has shape {tensor.shape}; it must be that of target_tokens: {target.shape}."
    return None


def _not_finite(name: str, tensor: TensorData) -> str | None:
    """Raise for values that would make the loss NaN. Inputs that no known loss reads may have any values."""
    if tensor.is_finite():
        return None
    if name in _FINITE_INPUTS:
        wrong, allowed = (
            ~np.isfinite(tensor.values_np),
            "finite, in padding too: 0 times NaN is NaN",
        )
    elif name in _CLIP and np.isnan(tensor.values_np).any():
        wrong, allowed = np.isnan(tensor.values_np), "a number; inf or -inf for no limit"
    else:
        return None
    return f".{tensor._first(wrong)}; it must be {allowed}."


_BLOCK = 128
_FLOAT_INPUTS = frozenset({"weights", "logprobs", "advantages"})
_FINITE_INPUTS = _FLOAT_INPUTS | {"sequence_ratio_mask"}


def _with_floats(datum: Datum) -> Datum:
    """Convert integers, such as weights of 0 and 1, where losses read floats."""
    floats = {
        name: TensorData(tensor.to_numpy(), "float32")
        for name, tensor in datum.loss_fn_inputs.items()
        if name in _FLOAT_INPUTS and tensor.dtype == "int64"
    }
    return evolve(datum, loss_fn_inputs={**datum.loss_fn_inputs, **floats}) if floats else datum


def _length(datum: Datum) -> int | None:
    """Number of tokens of the input; None if an image has no `expected_tokens`."""
    try:
        return datum.model_input.length
    except ValueError:
        return None


def _fill_cross_entropy(index: int, datum: Datum) -> Datum:
    inputs = dict(datum.loss_fn_inputs)
    if "target_tokens" in inputs:
        shape = inputs["target_tokens"].shape
        inputs["weights"] = TensorData.from_numpy(np.ones(shape or (), np.float32))
        return evolve(datum, loss_fn_inputs=inputs)
    try:
        tokens = np.asarray(datum.model_input.to_ints(), np.int64)
    except ValueError as error:
        raise ValueError(
            f"data[{index}] has no target_tokens, and its input is not only text: {error}"
        ) from None
    if len(tokens) < 2:
        raise ValueError(
            f"data[{index}] has no target_tokens, and its input has {len(tokens)} tokens; "
            "predicting the next token needs at least 2."
        )
    weights = inputs.get("weights")
    if weights is None:
        ones = np.ones(len(tokens), np.float32)
        ones[-1] = 0.0
        weights = TensorData.from_numpy(ones)
    # The last position predicts nothing: any token serves, with weight zero. See `without_invented`.
    target = np.append(tokens[1:], tokens[-1])
    return evolve(
        datum,
        loss_fn_inputs={
            **inputs,
            "target_tokens": TensorData.from_numpy(target),
            "weights": weights,
        },
    )


def total_weight(data: Sequence[Datum]) -> float | None:
    """The sum of the weights of a prepared batch of `cross_entropy`; None if any is negative: a mean by them says nothing."""
    sums: list[float] = []
    # numpy takes microseconds for each array, however short; blocks keep the copies small.
    for first in range(0, len(data), _BLOCK):
        block = data[first : first + _BLOCK]
        weights = np.concatenate([datum.loss_fn_inputs["weights"].values_np for datum in block])
        if weights.min(initial=0.0) < 0:
            return None
        sums.append(float(weights.sum(dtype=np.float64)))
    return math.fsum(sums)


def has_invented_target(datum: Datum) -> bool:
    """Whether `cross_entropy` has no targets, so that the last one is invented."""
    return "target_tokens" not in datum.loss_fn_inputs


def without_invented(output: ForwardBackwardOutput, data: Sequence[Datum]) -> ForwardBackwardOutput:
    """An output of `cross_entropy` with NaN at invented targets."""
    shown = [
        {name: _without_last(tensor) for name, tensor in found.items()}
        if has_invented_target(datum)
        else found
        for found, datum in zip(output.loss_fn_outputs, data, strict=False)
    ]
    return evolve(output, loss_fn_outputs=[*shown, *output.loss_fn_outputs[len(shown) :]])


def _without_last(tensor: TensorData) -> TensorData:
    values = tensor.to_numpy()
    if values.dtype != np.float32 or not values.size:
        return tensor
    values = values.copy()
    values[-1] = np.nan
    return TensorData.from_numpy(values)
