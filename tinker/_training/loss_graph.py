"""Traces a torch function to the graph that `create_custom_loss` sends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tinker_api import models

MAX_INPUTS = 16


def trace_loss(fn: Any, input_ranks: Mapping[str, int]) -> tuple[models.CustomLossGraph, Any]:
    """Trace a function of one datum; returns its graph and the `torch.fx.GraphModule`.

    Raises:
        ValueError: The inputs are not valid, or a step cannot run on a server; the message says which.
    """
    import torch  # noqa: PLC0415  # only who writes losses in it has it
    from torch import fx  # noqa: PLC0415

    if not 1 <= len(input_ranks) <= MAX_INPUTS or next(iter(input_ranks)) != "logprobs":
        raise ValueError(
            f"input_ranks has {list(input_ranks)}; it must begin with 'logprobs' and have at most {MAX_INPUTS}."
        )
    for name, rank in input_ranks.items():
        if rank not in (0, 1, 2):
            raise ValueError(f"input_ranks[{name!r}] is {rank!r}; it must be 0, 1 or 2.")
    module = fx.symbolic_trace(fn)
    nodes = [_node(node, torch) for node in module.graph.nodes]
    names = [node.target for node in nodes if node.op == "placeholder"]
    if set(names) - set(input_ranks):
        raise ValueError(f"The function takes {names}; input_ranks has {list(input_ranks)}.")
    return models.CustomLossGraph(nodes=nodes), module


def _node(node: Any, torch: Any) -> models.CustomLossNode:
    if node.op in ("call_module", "get_attr"):
        raise ValueError(
            f"The step {node.name!r} uses a {node.op}; a loss can use only its inputs and functions."
        )
    target: Any = node.target
    if node.op == "call_function":
        module = (getattr(target, "__module__", "") or "").replace("_operator", "operator")
        own = str(target.__name__)
        name = f"{module}.{own}"
        if getattr(torch, own, None) == target:
            name = f"torch.{own}"
        elif getattr(torch.nn.functional, own, None) == target:
            name = f"torch.nn.functional.{own}"
        if not name.startswith(("torch.", "operator.")):
            raise ValueError(
                f"The step {node.name!r} calls {name}; a loss can call only functions of torch and operator."
            )
        target = name
    return models.CustomLossNode(
        op=node.op,
        name=node.name,
        target=str(target),
        args=[_encoded(argument) for argument in node.args],
        kwargs=models.CustomLossKwargs(
            {name: _encoded(part) for name, part in node.kwargs.items()}
        ),
    )


def _encoded(value: Any) -> Any:
    """Encode an argument as JSON."""
    kind = type(value)
    if kind.__name__ == "Node":
        return {"ref": value.name}
    if isinstance(value, slice):
        return {"slice": [_encoded(part) for part in (value.start, value.stop, value.step)]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(part) for part in value]}
    if isinstance(value, list):
        return [_encoded(part) for part in value]
    if isinstance(value, dict):
        return {"dict": {name: _encoded(part) for name, part in value.items()}}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if kind.__module__.startswith("torch") and kind.__name__ in (
        "dtype",
        "device",
        "layout",
        "memory_format",
    ):
        return {kind.__name__: str(value).removeprefix("torch.")}
    raise ValueError(f"A loss cannot contain {value!r}; pass it as an input.")
