"""Losses traced to graphs: the embedded server computes from them what torch computes from the function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from autograd import make_vjp

from tinker._training.loss_graph import trace_loss
from tinker_local.engine.graph import Graph

torch = pytest.importorskip("torch")

RANKS = {"logprobs": 1, "old": 1}
LOGPROBS = np.array([-0.5, -2.0, -0.1, -3.0])
OLD = np.array([-0.7, -math.inf, -0.2, -1.0])

LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "a slice with steps": lambda logprobs, old: -logprobs[1::2].sum(),
    "an ellipsis and a new axis": lambda logprobs, old: -(logprobs[..., None] * 2).sum(),
    "a tuple of places": lambda logprobs, old: logprobs.view((2, 2))[(0, 1)] * 3,
    "an infinity": lambda logprobs, old: torch.where(old == -math.inf, 0.0, logprobs - old).sum(),
    "a limit that is none": lambda logprobs, old: torch.clamp(logprobs, -math.inf, -1.0).sum(),
    "a list of tensors": lambda logprobs, old: torch.stack([logprobs, 2 * logprobs]).sum(),
    "a dtype": lambda logprobs, old: (logprobs * torch.ones_like(old, dtype=torch.float64)).sum(),
    "a keyword": lambda logprobs, old: logprobs.sum(dim=0, keepdim=True),
    "a method": lambda logprobs, old: logprobs.detach().exp().mul(logprobs).sum(),
    "a function of torch.nn": lambda logprobs, old: torch.nn.functional.softplus(logprobs).mean(),
    "operators": lambda logprobs, old: (-(logprobs**2) / 2 + 1 - logprobs).sum(),
}


def traced(loss: Callable[..., Any]) -> Graph:
    graph, _ = trace_loss(loss, RANKS)
    inputs = [{"name": name, "rank": rank} for name, rank in RANKS.items()]
    return Graph.parse({"name": "loss", "inputs": inputs, "graph": graph.to_dict()})


@pytest.mark.parametrize("case", LOSSES)
def test_the_server_computes_what_torch_does(case: str) -> None:
    loss = LOSSES[case]
    leaf = torch.tensor(LOGPROBS, requires_grad=True)
    expected = loss(leaf, torch.tensor(OLD)).sum()
    expected.backward()
    graph = traced(loss)
    vjp, value = make_vjp(lambda x: graph.run(x, {"old": OLD})[0])(LOGPROBS)
    assert float(value) == pytest.approx(expected.item())
    np.testing.assert_allclose(vjp(np.ones_like(value)), leaf.grad.numpy(), rtol=1e-6)


def test_metrics_come_with_the_loss() -> None:
    def loss(logprobs: Any, old: Any) -> Any:
        return -logprobs.sum(), {"custom/smallest:mean": logprobs.min(), "custom/one:sum": 1.0}

    value, metrics = traced(loss).run(LOGPROBS, {"old": OLD})
    assert float(value) == pytest.approx(5.6)
    assert {name: float(metric) for name, metric in metrics.items()} == {
        "custom/smallest:mean": -3.0,
        "custom/one:sum": 1.0,
    }


@pytest.mark.parametrize(
    ("loss", "ranks", "words"),
    [
        (lambda logprobs: logprobs, {}, r"input_ranks has \[\]; it must begin with 'logprobs'"),
        (
            lambda logprobs: logprobs,
            {"logprobs": 1, **{f"x{i}": 1 for i in range(16)}},
            "have at most 16",
        ),
        (
            lambda logprobs: logprobs,
            {"logprobs": 3},
            r"input_ranks\['logprobs'\] is 3; it must be 0, 1 or 2",
        ),
        (
            lambda logprobs, other: logprobs + other,
            {"logprobs": 1},
            r"takes \['logprobs', 'other'\]; input_ranks has \['logprobs'\]",
        ),
        (
            lambda logprobs: (logprobs * torch.ones(1)).sum(),
            {"logprobs": 1},
            "uses a get_attr; a loss can use only its inputs and functions",
        ),
        (lambda logprobs: math.exp(logprobs) + 1, {"logprobs": 1}, "calls math.exp"),
        (
            lambda logprobs: torch.add(logprobs, 1j).sum(),
            {"logprobs": 1},
            "A loss cannot contain 1j; pass it as an input",
        ),
    ],
)
def test_what_cannot_be_traced_is_refused(
    loss: Callable[..., Any], ranks: dict[str, int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        trace_loss(loss, ranks)
