"""Custom losses of clients: graphs of tensor operations, as torch.fx traces them, run by numpy and autograd.

Only the operations in the tables below exist; a graph cannot reach anything else. A graph takes the log-probabilities
of one example, then its `loss_fn_inputs` by name, and returns a scalar loss, or the loss and named metrics.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from attrs import frozen
from autograd.extend import notrace_primitive

from tinker_local.engine.base import EngineError

METRIC = re.compile(r"custom/[a-z0-9_./-]{1,64}:(sum|mean)")
_CONSTANTS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def _reduced(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
        axis = tuple(dim) if isinstance(dim, (list, tuple)) else dim
        return reduce(x, axis=axis, keepdims=keepdim)

    return call


def _logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    top = anp.max(x, axis=dim, keepdims=True)
    total = anp.log(anp.sum(anp.exp(x - top), axis=dim, keepdims=True)) + top
    return total if keepdim else anp.sum(total, axis=dim)


def _clamp(x: Any, min: Any = None, max: Any = None) -> Any:  # noqa: A002  # torch's names
    x = x if min is None else anp.maximum(x, min)
    return x if max is None else anp.minimum(x, max)


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    scaled = x * beta
    smooth = anp.log1p(anp.exp(anp.minimum(scaled, threshold))) / beta
    return anp.where(scaled > threshold, x, smooth)


def _std(correction: int, root: bool) -> Callable[..., Any]:
    def call(x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False) -> Any:
        count = x.size if dim is None else x.shape[dim]
        mean = anp.mean(x, axis=dim, keepdims=True)
        spread = anp.sum((x - mean) ** 2, axis=dim, keepdims=keepdim)
        variance = spread / (count - (correction if unbiased else 0))
        return anp.sqrt(variance) if root else variance

    return call


def _mean_of(error: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(x: Any, target: Any, reduction: str = "mean") -> Any:
        values = error(x - target)
        return {"mean": anp.mean, "sum": anp.sum, "none": lambda v: v}[reduction](values)

    return call


def _same(x: Any, *_: Any, **__: Any) -> Any:
    return x


stop_gradient = notrace_primitive(lambda x: x)
"""The value, as a constant."""


def _sigmoid(x: Any) -> Any:
    return 0.5 * (anp.tanh(0.5 * x) + 1.0)


def _logsigmoid(x: Any) -> Any:
    return -_softplus(-x)


_TENSOR: dict[str, Callable[..., Any]] = {
    "abs": anp.abs,
    "add": lambda x, y, alpha=1: x + alpha * y,
    "clamp": _clamp,
    "clip": _clamp,
    "cos": anp.cos,
    "cumsum": lambda x, dim: anp.cumsum(x, axis=dim),
    "div": anp.true_divide,
    "dot": anp.dot,
    "eq": lambda x, y: x == y,
    "exp": anp.exp,
    "expm1": anp.expm1,
    "ge": lambda x, y: x >= y,
    "gt": lambda x, y: x > y,
    "isfinite": anp.isfinite,
    "isnan": anp.isnan,
    "le": lambda x, y: x <= y,
    "log": anp.log,
    "log1p": anp.log1p,
    "logical_and": anp.logical_and,
    "logical_not": anp.logical_not,
    "logical_or": anp.logical_or,
    "logsumexp": _logsumexp,
    "lt": lambda x, y: x < y,
    "matmul": anp.matmul,
    "max": _reduced(anp.max),
    "maximum": anp.maximum,
    "mean": _reduced(anp.mean),
    "min": _reduced(anp.min),
    "minimum": anp.minimum,
    "mul": anp.multiply,
    "ne": lambda x, y: x != y,
    "neg": anp.negative,
    "pow": anp.power,
    "prod": _reduced(anp.prod),
    "reciprocal": lambda x: 1.0 / x,
    "relu": lambda x: anp.maximum(x, 0.0),
    "rsqrt": lambda x: 1.0 / anp.sqrt(x),
    "sigmoid": _sigmoid,
    "sign": anp.sign,
    "sin": anp.sin,
    "sqrt": anp.sqrt,
    "square": lambda x: x * x,
    "std": _std(1, True),
    "sub": lambda x, y, alpha=1: x - alpha * y,
    "sum": _reduced(anp.sum),
    "tanh": anp.tanh,
    "unsqueeze": anp.expand_dims,
    "var": _std(1, False),
    "where": anp.where,
}
"""Operations that torch has both as a function and as a method."""
_METHODS: dict[str, Callable[..., Any]] = {
    "clone": _same,
    "contiguous": _same,
    "detach": stop_gradient,
    "double": _same,
    "flatten": lambda x: anp.reshape(x, (-1,)),
    "float": lambda x: x * 1.0,
    "masked_fill": lambda x, mask, value: anp.where(mask, value, x),
    "numel": lambda x: x.size,
    "reshape": lambda x, *shape: anp.reshape(x, shape[0] if isinstance(shape[0], tuple) else shape),
    "size": lambda x, dim=None: x.shape if dim is None else x.shape[dim],
    "squeeze": lambda x, dim=None: anp.squeeze(x, axis=dim),
    "to": lambda x, *_, **__: x * 1.0,
    "view": lambda x, *shape: anp.reshape(x, shape[0] if isinstance(shape[0], tuple) else shape),
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"torch.{name}": function for name, function in _TENSOR.items()},
    "torch.cat": lambda tensors, dim=0: anp.concatenate(list(tensors), axis=dim),
    "torch.full_like": lambda x, fill_value, **_: np.full(np.shape(x), float(fill_value)),
    "torch.ones_like": lambda x, **_: np.ones(np.shape(x)),
    "torch.stack": lambda tensors, dim=0: anp.stack(list(tensors), axis=dim),
    "torch.tensor": lambda value, **_: np.asarray(value, dtype=np.float64),
    "torch.zeros_like": lambda x, **_: np.zeros(np.shape(x)),
    "torch.nn.functional.l1_loss": _mean_of(anp.abs),
    "torch.nn.functional.logsigmoid": _logsigmoid,
    "torch.nn.functional.mse_loss": _mean_of(lambda x: x * x),
    "torch.nn.functional.relu": _TENSOR["relu"],
    "torch.nn.functional.sigmoid": _sigmoid,
    "torch.nn.functional.silu": lambda x: x * _sigmoid(x),
    "torch.nn.functional.softplus": _softplus,
    "torch.nn.functional.tanh": anp.tanh,
    **{
        f"operator.{name}": getattr(operator, name)
        for name in (
            *("abs", "add", "and_", "eq", "floordiv", "ge", "getitem", "gt", "invert", "le", "lt"),
            *("matmul", "mod", "mul", "ne", "neg", "or_", "pos", "pow", "sub", "truediv"),
        )
    },
}
for _name in ("add", "div", "mul", "pow", "sub"):
    _METHODS[f"__{_name}__"] = _TENSOR[_name]
_METHODS.update(_TENSOR)


@frozen
class Graph:
    """A checked loss: every step exists and refers only to earlier steps."""

    name: str
    inputs: Sequence[Mapping[str, Any]]
    nodes: Sequence[Mapping[str, Any]]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Graph:
        """The graph of a create_custom_loss request.

        Raises EngineError with the name of the step that cannot be run.
        """
        inputs, nodes = body["inputs"], body["graph"]["nodes"]
        names = [one["name"] for one in inputs]
        if names[0] != "logprobs":
            raise EngineError(f"the first input must be 'logprobs', not {names[0]!r}")
        known: set[str] = set()
        for node in nodes:
            name, op, target = node["name"], node["op"], node["target"]
            if op == "placeholder" and target not in names:
                raise EngineError(f"step {name!r}: {target!r} is not an input of the loss")
            if op == "call_function" and target not in _FUNCTIONS:
                raise EngineError(f"step {name!r}: the function {target!r} is not supported")
            if op == "call_method" and target not in _METHODS:
                raise EngineError(f"step {name!r}: the method {target!r} is not supported")
            if op in ("get_attr", "call_module"):
                raise EngineError(f"step {name!r}: {op} is not supported")
            missing = _references([node.get("args") or [], node.get("kwargs") or {}]) - known
            if missing:
                raise EngineError(
                    f"step {name!r} refers to {min(missing)!r}, which is not an earlier step"
                )
            known.add(name)
        if not nodes or nodes[-1]["op"] != "output":
            raise EngineError("the last step must be the output")
        return cls(body["name"], inputs, nodes)

    def run(self, logp: Any, inputs: Mapping[str, Any]) -> tuple[Any, dict[str, float]]:
        """The loss of one example, and its metrics."""
        values: dict[str, Any] = {}
        given = {"logprobs": logp, **inputs}
        for node in self.nodes:
            try:
                if node["op"] == "placeholder":
                    values[node["name"]] = given[node["target"]]
                    continue
                args = _decoded(node.get("args") or [], values)
                kwargs = {k: _decoded(v, values) for k, v in (node.get("kwargs") or {}).items()}
                if node["op"] == "output":
                    return self._outcome(args[0])
                table = _FUNCTIONS if node["op"] == "call_function" else _METHODS
                values[node["name"]] = table[node["target"]](*args, **kwargs)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                if isinstance(error, EngineError):
                    raise
                raise EngineError(
                    f"{self.name}: step {node['name']!r} ({node['target']}): {error}"
                ) from None
        raise AssertionError("the last step is the output")

    def _outcome(self, value: Any) -> tuple[Any, dict[str, float]]:
        loss, metrics = value if isinstance(value, (tuple, list)) else (value, {})
        if np.shape(loss) not in ((), (1,)):
            raise EngineError(f"{self.name}: the loss has shape {list(np.shape(loss))}, not []")
        wrong = [name for name in metrics if not METRIC.fullmatch(name)]
        if wrong:
            raise EngineError(f"{self.name}: the metric {wrong[0]!r} is not like custom/name:mean")
        return anp.sum(loss), metrics


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        if set(value) == {"ref"} and isinstance(value["ref"], str):
            return {value["ref"]}
        return set().union(*(_references(part) for part in value.values()), set())
    if isinstance(value, list):
        return set().union(*(_references(part) for part in value), set())
    return set()


def _decoded(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_decoded(part, values) for part in value]
    if not isinstance(value, dict):
        return value
    kind: str
    part: Any
    ((kind, part),) = value.items() if len(value) == 1 else (("", None),)
    if kind == "ref":
        return values[part]
    if kind == "tuple":
        return tuple(_decoded(one, values) for one in part)
    if kind == "slice":
        return slice(*(_decoded(one, values) for one in part))
    if kind == "ellipsis":
        return Ellipsis
    if kind == "float":
        return _CONSTANTS[part]
    if kind == "dict":
        pairs = part.items() if isinstance(part, dict) else part
        return {name: _decoded(one, values) for name, one in pairs}
    if kind in ("dtype", "device", "layout", "memory_format"):
        return None  # everything here is float64
    return {name: _decoded(one, values) for name, one in value.items()}
