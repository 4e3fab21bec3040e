"""The loss functions: the inputs and settings of each, and its value for every target.

In the formulas `logp` is the model's log-probability of a target, `q` the one it was sampled with
(`logprobs`), `A` its advantage, `r = exp(logp - q)` and `sg` stops the gradient. A loss is the
plain sum, over all targets of all examples, of

    cross_entropy         -weight * logp
    importance_sampling   -r A
    ppo                   -min(r A, clip(r, low, high) A)
    cispo                 -sg(clip(r, low, high)) A logp
    dro                   -(A logp - beta / 2 * (logp - q)^2)
    gspo                  as ppo, with the ratio sg(s) exp(logp - sg(logp)), where s is the geometric
                          mean of r over the tokens that `sequence_ratio_mask` marks
    stable_reinforce      -sg(min(r, 1)) A logp + kl_coeff KL, over sampled targets only; `q` was recorded
                          when they were drawn, and is not `logprobs`. KL estimates the
                          divergence of the model from the distribution they were drawn from:
                              k1  -log r      k2  (log r)^2 / 2      k3  r - 1 - log r
                          by the setting `kl_estimator`

The hosted service's formula of stable_reinforce is not known; this one has the documented properties:
a token that the model has become less likely to draw counts for less, no token counts for more than
one, however old the sample, and `q` is right at any temperature.

Each example of a loss that reads `logprobs` has these metrics, means over its sampled targets (those whose `q` or `A`
is not 0). Those of a batch are the means over its examples, so it makes no difference how it is split into chunks.

    kl:mean               r - 1 - log r, an estimate of the divergence of the model from the one sampled
    entropy:mean          -q, an estimate of the entropy of the one sampled
    advantage:mean        A
    clip_fraction:mean    of a loss that clips: the share of targets with an advantage whose r is outside

`low` and `high` are the settings `clip_low_threshold` and `clip_high_threshold`: ratios, not
distances from one. Inputs of the same names give each target its own thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import autograd.numpy as anp
import numpy as np
import numpy.typing as npt
from attrs import frozen
from autograd import make_vjp

from tinker_local.engine.base import EngineError, Example
from tinker_local.engine.graph import Graph, stop_gradient

Values = npt.NDArray[np.float64]
Inputs = Mapping[str, Any]
"""float64 arrays in the shape of the targets, and settings; settings that are strings stay strings."""

Metrics = Callable[[Values, Inputs], Mapping[str, float]]

TARGETS = "target_tokens"


@frozen(kw_only=True)
class Loss:
    """`optional` has the default of each optional input, `settings` the default of each setting, `choices` the
    allowed strings of a setting, the default first."""

    output_type: str
    elementwise: Callable[[Any, Inputs], Any]
    required: tuple[str, ...] = ()
    optional: Mapping[str, float] = {}
    settings: Mapping[str, float] = {}
    choices: Mapping[str, tuple[str, ...]] = {}
    metrics: Metrics = lambda logp, x: {}
    """The metrics of one example; those of a batch are their means or sums."""
    needs_provenance: bool = False
    """Whether it needs the origin of the targets (`Example.drawn_logprobs`)."""
    graph: Graph | None = None
    """The graph of a custom loss."""


@frozen(kw_only=True)
class LossValue:
    """The value for one example: `elementwise` and `gradient` (by the log-probabilities) have the shape of
    the targets, except that a custom loss is one number."""

    elementwise: Values
    gradient: Values
    metrics: Mapping[str, float]


def _cross_entropy(logp: Any, x: Inputs) -> Any:
    return -x["weights"] * logp


def _importance_sampling(logp: Any, x: Inputs) -> Any:
    return -_ratio(logp, x) * x["advantages"]


def _ppo(logp: Any, x: Inputs) -> Any:
    return _pessimistic(_ratio(logp, x), x)


def _cispo(logp: Any, x: Inputs) -> Any:
    return -_clipped(stop_gradient(_ratio(logp, x)), x) * x["advantages"] * logp


def _dro(logp: Any, x: Inputs) -> Any:
    return -(x["advantages"] * logp - 0.5 * x["beta"] * (logp - x["logprobs"]) ** 2)


def _gspo(logp: Any, x: Inputs) -> Any:
    return _pessimistic(_sequence_ratio(logp, x), x)


def _stable_reinforce(logp: Any, x: Inputs) -> Any:
    log_ratio = (logp - x["drawn_logprobs"]) * x["sampled"]
    weight = stop_gradient(anp.minimum(anp.exp(log_ratio), 1.0))
    kl = _KL_ESTIMATORS[x["kl_estimator"]](log_ratio)
    return (x["kl_coeff"] * kl - weight * x["advantages"] * logp) * x["sampled"]


_KL_ESTIMATORS: Mapping[str, Callable[[Any], Any]] = {
    "k3": lambda log_ratio: anp.exp(log_ratio) - 1 - log_ratio,
    "k2": lambda log_ratio: log_ratio**2 / 2,
    "k1": lambda log_ratio: -log_ratio,
}


def _kl_metrics(logp: Values, x: Inputs) -> Mapping[str, float]:
    sampled = x["sampled"] != 0
    if not sampled.any():
        return {}
    kl = _KL_ESTIMATORS[x["kl_estimator"]]((logp - x["drawn_logprobs"])[sampled])
    return {"kl:mean": float(kl.mean())}


def _ratio(logp: Any, x: Inputs) -> Any:
    return anp.exp(logp - x["logprobs"])


def _sequence_ratio(logp: Any, x: Inputs) -> Any:
    marked = x["sequence_ratio_mask"] != 0
    constant = stop_gradient(logp)
    log_ratio = anp.sum((constant - x["logprobs"]) * marked) / max(int(marked.sum()), 1)
    return anp.exp(log_ratio + logp - constant)


def _clipped(ratio: Any, x: Inputs) -> Any:
    low, high = x["clip_low_threshold"], x["clip_high_threshold"]
    return anp.minimum(anp.maximum(ratio, low), high)


def _pessimistic(ratio: Any, x: Inputs) -> Any:
    advantages = x["advantages"]
    return -anp.minimum(ratio * advantages, _clipped(ratio, x) * advantages)


def _policy_metrics(logp: Values, x: Inputs) -> Mapping[str, float]:
    """How far the model is from the one that was sampled, and what the samples were like.

    The sampled targets are those with a log-probability or an advantage: prompts have zeros for both.
    """
    sampled = (x["logprobs"] != 0) | (x["advantages"] != 0)
    count = max(int(sampled.sum()), 1)
    kl = _KL_ESTIMATORS["k3"]((logp - x["logprobs"])[sampled])
    return {
        "kl:mean": float(kl.sum() / count),
        "entropy:mean": float(-x["logprobs"][sampled].sum() / count),
        "advantage:mean": float(x["advantages"][sampled].sum() / count),
    }


def _with(*parts: Metrics) -> Metrics:
    return lambda logp, x: {name: value for part in parts for name, value in part(logp, x).items()}


def _clip_metrics(
    ratio: Callable[[Any, Inputs], Any],
) -> Metrics:
    """Fraction of the targets with an advantage whose ratio is outside the thresholds."""

    def metrics(logp: Values, x: Inputs) -> Mapping[str, float]:
        value, counts = ratio(logp, x), x["advantages"] != 0
        outside = (value < x["clip_low_threshold"]) | (value > x["clip_high_threshold"])
        fraction = (outside & counts).sum() / max(int(counts.sum()), 1)
        return {"clip_fraction:mean": float(fraction)}

    return metrics


_SAMPLED = ("logprobs", "advantages")
_CLIP = ("clip_low_threshold", "clip_high_threshold")


def _clip(low: float, high: float) -> dict[str, float]:
    return {"clip_low_threshold": low, "clip_high_threshold": high}


LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss(
        output_type="CrossEntropyLossReturn",
        elementwise=_cross_entropy,
        optional={"weights": 1.0},
    ),
    "importance_sampling": Loss(
        output_type="ImportanceSamplingLossReturn",
        elementwise=_importance_sampling,
        required=_SAMPLED,
        metrics=_policy_metrics,
    ),
    "ppo": Loss(
        output_type="PPOLossReturn",
        elementwise=_ppo,
        required=_SAMPLED,
        settings=_clip(0.8, 1.2),
        metrics=_with(_policy_metrics, _clip_metrics(_ratio)),
    ),
    "cispo": Loss(
        output_type="CISPOLossReturn",
        elementwise=_cispo,
        required=_SAMPLED,
        settings=_clip(0.0, 4.0),
        metrics=_with(_policy_metrics, _clip_metrics(_ratio)),
    ),
    "dro": Loss(
        output_type="DROLossReturn",
        elementwise=_dro,
        required=_SAMPLED,
        settings={"beta": 0.01},
        metrics=_policy_metrics,
    ),
    "gspo": Loss(
        output_type="GSPOLossReturn",
        elementwise=_gspo,
        required=(*_SAMPLED, "sequence_ratio_mask"),
        settings=_clip(0.8, 1.2),
        metrics=_with(_policy_metrics, _clip_metrics(_sequence_ratio)),
    ),
    "stable_reinforce": Loss(
        output_type="StableReinforceLossReturn",
        elementwise=_stable_reinforce,
        required=("advantages",),
        settings={"kl_coeff": 0.01},
        choices={"kl_estimator": tuple(_KL_ESTIMATORS)},
        metrics=_kl_metrics,
        needs_provenance=True,
    ),
}


def resolve(loss_fn: str, config: Mapping[str, Any]) -> tuple[Loss, dict[str, Any]]:
    """Find a loss by name, and its settings with defaults filled in.

    Raises EngineError for an unknown name or setting, and for a setting of the wrong type.
    """
    loss = LOSSES.get(loss_fn)
    if loss_fn == "custom":
        graph = config.get("graph")
        if not isinstance(graph, Graph):
            raise EngineError(
                "loss_fn 'custom' needs loss_fn_config['loss_id'], from create_custom_loss"
            )
        return Loss(
            output_type=f"CustomLossReturn:{graph.name}", elementwise=_custom, graph=graph
        ), {}
    if loss is None:
        raise EngineError(f"unknown loss_fn {loss_fn!r}; available: {', '.join(LOSSES)}, custom")
    settings: dict[str, Any] = {
        **loss.settings,
        **{k: words[0] for k, words in loss.choices.items()},
    }
    for key, value in config.items():
        if key in loss.choices:
            if value not in loss.choices[key]:
                allowed = ", ".join(loss.choices[key])
                raise EngineError(f"loss_fn_config {key!r} must be one of {allowed}, not {value!r}")
            settings[key] = value
            continue
        if key not in settings:
            allowed = ", ".join(settings) or "no keys"
            raise EngineError(f"unknown loss_fn_config key {key!r}; {loss_fn} allows {allowed}")
        unlimited = key in _CLIP and value in (math.inf, -math.inf)
        if isinstance(value, str) or not (unlimited or math.isfinite(value)):
            raise EngineError(f"loss_fn_config {key!r} must be a finite number, not {value!r}")
        settings[key] = float(value)
    return loss, settings


def targets_of(example: Example, vocab: int) -> npt.NDArray[np.int64]:
    """The targets of an example of T tokens: int64 [T] or [T, K], inside the vocabulary.

    Raises EngineError if they are missing, of another shape, not integers or outside the vocabulary.
    """
    given = example.inputs.get(TARGETS)
    if given is None:
        raise EngineError(f"loss_fn_inputs has no {TARGETS!r}")
    if not np.issubdtype(given.dtype, np.integer):
        raise EngineError(f"{TARGETS} must be integers, not {given.dtype}")
    targets = given.astype(np.int64)
    length = len(example.tokens)
    if targets.ndim not in (1, 2) or len(targets) != length or 0 in targets.shape:
        raise EngineError(
            f"{TARGETS} has shape {list(targets.shape)}; {length} tokens need [{length}]"
            f" or [{length}, K]"
        )
    outside = targets[(targets < 0) | (targets >= vocab)]
    if outside.size:
        raise EngineError(f"{TARGETS} has {outside[0]}, outside the vocabulary of {vocab}")
    return targets


def _custom(logp: Any, x: Inputs) -> Any:
    raise AssertionError("a custom loss is its graph")


def _custom_inputs(example: Example, graph: Graph) -> dict[str, Values]:
    values: dict[str, Values] = {}
    for one in graph.inputs[1:]:
        name, rank = one["name"], int(one["rank"])
        given = example.inputs.get(name)
        if given is None:
            raise EngineError(f"loss_fn_inputs has no {name!r}")
        if rank == 0 and given.size == 1:
            given = given.reshape(())
        if given.ndim != rank:
            raise EngineError(
                f"{name} has shape {list(given.shape)}; {graph.name} needs rank {rank}"
            )
        values[name] = given.astype(np.float64)
    return values


def inputs_of(
    example: Example, loss: Loss, settings: Mapping[str, Any], shape: tuple[int, ...]
) -> dict[str, Any]:
    """The inputs of the loss, besides log-probabilities. Unknown inputs are ignored.

    Raises EngineError if a required input is missing, not of the targets' shape (`shape`) or not finite,
    and if the loss needs the origin of the targets.
    """
    if loss.graph is not None:
        return _custom_inputs(example, loss.graph)
    values: dict[str, Any] = {name: settings[name] for name in loss.choices}
    if loss.needs_provenance:
        if example.drawn_logprobs is None:
            raise EngineError("the origin of its targets is not known")
        values["sampled"] = np.isfinite(example.drawn_logprobs).astype(np.float64)
        values["drawn_logprobs"] = np.nan_to_num(example.drawn_logprobs).astype(np.float64)
    for name in (*loss.required, *loss.optional, *loss.settings):
        given = example.inputs.get(name)
        if given is not None:
            if given.shape != shape:
                raise EngineError(
                    f"{name} has shape {list(given.shape)}, {TARGETS} has {list(shape)}"
                )
            values[name] = given.astype(np.float64)
            wrong = ~np.isfinite(values[name])
            if name in _CLIP:  # infinite thresholds mean no limit
                wrong = np.isnan(values[name])
            if wrong.any():
                place = np.argwhere(wrong)[0].tolist()
                value = values[name][tuple(place)]
                raise EngineError(f"{name}{place} is {value}; it must be finite")
        elif name in loss.required:
            raise EngineError(f"loss_fn_inputs has no {name!r}")
        else:
            values[name] = np.full(shape, {**loss.optional, **settings}[name])
    return values


def evaluate(loss: Loss, logp: Values, inputs: Inputs) -> LossValue:
    """The loss of one example and its gradient; `logp` has the shape of the targets."""
    if loss.graph is not None:
        return _evaluate_graph(loss.graph, logp, inputs)
    gradient, elementwise = make_vjp(lambda x: loss.elementwise(x, inputs))(logp)
    return LossValue(
        elementwise=elementwise,
        gradient=gradient(np.ones_like(elementwise)),
        metrics=loss.metrics(logp, inputs),
    )


def _evaluate_graph(graph: Graph, logp: Values, inputs: Inputs) -> LossValue:
    _, metrics = graph.run(logp, inputs)
    gradient, loss = make_vjp(lambda x: graph.run(x, inputs)[0])(logp)
    return LossValue(
        elementwise=np.asarray(loss, dtype=np.float64),
        gradient=np.broadcast_to(gradient(np.ones_like(loss)), logp.shape),
        metrics={name: float(value) for name, value in metrics.items()},
    )
