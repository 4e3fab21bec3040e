"""Losses of the caller's own, against the built-in ones and against torch.autograd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinker
from tinker_local import LocalServer
from tinker_local.options import Options

torch = pytest.importorskip("torch")

WEIGHTS = np.array([0.0, 1.0, 0.5, 1.0, 2.0], np.float32)


@pytest.fixture
def service(server: str) -> Iterator[tinker.ServiceClient]:
    with tinker.ServiceClient(base_url=server) as client:
        yield client


def new(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("tinker-local/tiny", rank=4, seed=3).result()


def batch(**inputs: Any) -> list[tinker.Datum]:
    tokens = [[5, 6, 7, 8, 9], [50, 60, 70, 80, 90], [1, 2, 3, 4, 5]]
    return [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints(one),
            loss_fn_inputs={"target_tokens": np.array(one) + 1, **inputs},
        )
        for one in tokens
    ]


def step(client: tinker.TrainingClient) -> tuple[float, list[np.ndarray]]:
    """The gradient's norm, and the log-probabilities after a step."""
    norm = client.optim_step(tinker.AdamParams(learning_rate=0.01)).result().metrics
    assert norm is not None
    after = client.forward(batch(), "cross_entropy").result()
    return norm["unclipped_grad_l2:mean"], [o["logprobs"].to_numpy() for o in after.loss_fn_outputs]


def agree(one: tuple[float, list[np.ndarray]], other: tuple[float, list[np.ndarray]]) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-4)
    for mine, theirs in zip(one[1], other[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def weighted(data: list[tinker.Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
    weights = torch.tensor(WEIGHTS)
    return -sum((lp * weights).sum() for lp in logprobs), {"mine": 3.0}


def weighted_numpy(data: Any, logprobs: Any) -> tuple[float, dict[str, float], list[np.ndarray]]:
    return float(-sum((lp * WEIGHTS).sum() for lp in logprobs)), {}, [-WEIGHTS for _ in logprobs]


def test_the_weighted_sum_is_cross_entropy(service: tinker.ServiceClient) -> None:
    built_in, by_torch, by_numpy = new(service), new(service), new(service)
    expected = built_in.forward_backward(batch(weights=WEIGHTS), "cross_entropy").result()
    got = by_torch.forward_backward_custom(batch(), weighted).result()
    same = by_numpy.forward_backward_custom(batch(), tinker.NumpyLoss(weighted_numpy)).result()
    for result in (got, same):
        assert result.metrics["loss:sum"] == pytest.approx(expected.metrics["loss:sum"], rel=1e-4)
        assert "surrogate_loss:sum" in result.metrics
        assert len(result.loss_fn_outputs) == 3
    assert got.metrics["mine"] == 3.0
    after = step(built_in)
    agree(after, step(by_torch))
    agree(after, step(by_numpy))


def ppo(data: list[tinker.Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
    total = 0.0
    for lp in logprobs:
        ratio = torch.exp(lp - torch.tensor(OLD))
        clipped = torch.clamp(ratio, 0.8, 1.2)
        advantages = torch.tensor(ADVANTAGES)
        total = total - torch.minimum(ratio * advantages, clipped * advantages).sum()
    return total, {}


OLD = np.array([-5.0, -5.5, -6.0, -5.2, -4.0], np.float32)
ADVANTAGES = np.array([1.0, -1.0, 0.5, 2.0, -0.3], np.float32)


def test_ppo_written_in_torch_is_the_built_in_one(service: tinker.ServiceClient) -> None:
    built_in, own = new(service), new(service)
    data = batch(logprobs=OLD, advantages=ADVANTAGES)
    expected = built_in.forward_backward(data, "ppo").result().metrics["loss:sum"]
    got = own.forward_backward_custom(data, ppo).result().metrics["loss:sum"]
    assert got == pytest.approx(expected, rel=1e-4)
    agree(step(built_in), step(own))


def on_the_server(logprobs: Any, old: Any, advantages: Any) -> Any:
    ratio = torch.exp(logprobs - old)
    clipped = torch.clamp(ratio, 0.8, 1.2)
    loss = -torch.minimum(ratio * advantages, clipped * advantages).sum()
    return loss, {"custom/ratio:mean": ratio.mean()}


def test_a_loss_that_runs_on_the_server_is_the_same(service: tinker.ServiceClient) -> None:
    handle = service.create_custom_loss(
        on_the_server, {"logprobs": 1, "old": 1, "advantages": 1}
    ).result()
    assert handle.input_names == ("logprobs", "old", "advantages")
    built_in, own = new(service), new(service)
    built_in.forward_backward(batch(logprobs=OLD, advantages=ADVANTAGES), "ppo").result()
    got = own.forward_backward_custom(batch(old=OLD, advantages=ADVANTAGES), handle).result()
    assert "custom/ratio:mean" in got.metrics
    agree(step(built_in), step(own))


def test_what_no_server_can_run_is_refused_before_it_is_sent(service: tinker.ServiceClient) -> None:
    captured: Any = torch.ones(3)

    def closure(logprobs: Any) -> Any:
        return (logprobs * captured).sum()

    def misnamed(x: Any) -> Any:
        return x.sum()

    with pytest.raises(ValueError, match="get_attr|cannot have"):
        service.create_custom_loss(closure, {"logprobs": 1})
    with pytest.raises(ValueError, match="must begin with 'logprobs'"):
        service.create_custom_loss(misnamed, {"x": 1})


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda data, lps: (torch.tensor(1.0), {}), "does not depend on the logprobs"),
        (lambda data, lps: (lps[0], {}), "a torch tensor of one element"),
        (lambda data, lps: lps[0].sum(), r"returns \(loss, metrics\)"),
        (lambda data, lps: (lps[0].sum() * float("nan"), {}), "must be finite"),
        (lambda data, lps: 1 / 0, "division by zero"),
        (tinker.NumpyLoss(lambda data, lps: (1.0, {}, [])), "0 gradients for 3 datums"),
        (tinker.NumpyLoss(lambda data, lps: (1.0, {}, [lp[1:] for lp in lps])), r"has shape \[4\]"),
        (
            tinker.NumpyLoss(lambda data, lps: (1.0, {}, [lp * np.inf for lp in lps])),
            r"data\[0\] is -inf at \[0\]",
        ),
    ],
)
def test_a_function_that_fails_trains_nothing_and_the_run_goes_on(
    service: tinker.ServiceClient, loss: Any, words: str
) -> None:
    client, other = new(service), new(service)
    failed = client.forward_backward_custom(batch(), loss)
    after = client.forward_backward(batch(weights=WEIGHTS), "cross_entropy")
    with pytest.raises((ValueError, TypeError, ZeroDivisionError), match=words):
        failed.result()
    after.result()
    other.forward_backward(batch(weights=WEIGHTS), "cross_entropy").result()
    agree(step(client), step(other))


def test_later_calls_take_effect_behind_both_passes(service: tinker.ServiceClient) -> None:
    one, other = new(service), new(service)
    first = one.forward_backward_custom(batch(), weighted)
    norm = one.optim_step(tinker.AdamParams(learning_rate=0.01))
    first.result()
    other.forward_backward(batch(weights=WEIGHTS), "cross_entropy").result()
    expected = other.optim_step(tinker.AdamParams(learning_rate=0.01)).result().metrics
    got = norm.result().metrics
    assert got is not None
    assert expected is not None
    key = "unclipped_grad_l2:mean"
    assert got[key] == pytest.approx(expected[key], rel=1e-4)
    assert got[key] > 0


def test_a_loss_on_the_server_gives_the_same_in_each_encoding() -> None:
    """Its name travels as a text among the numbers of loss_fn_config."""
    seen = []
    for options in (Options(), Options(zstd=True), Options(protobuf=False)):
        with (
            LocalServer(options=options) as running,
            tinker.ServiceClient(base_url=running.url) as service,
        ):
            ranks = {"logprobs": 1, "old": 1, "advantages": 1}
            handle = service.create_custom_loss(on_the_server, ranks).result()
            client = new(service)
            data = batch(old=OLD, advantages=ADVANTAGES)
            result = client.forward_backward_custom(data, handle).result()
            arrays = [output["logprobs"].to_numpy().tobytes() for output in result.loss_fn_outputs]
            norm = client.optim_step(tinker.AdamParams()).result().metrics
            seen.append((result.metrics, arrays, norm))
    assert seen[0] == seen[1] == seen[2]


def with_gaps(logprobs: Any, old: Any) -> Any:
    """NaN in `old` marks what does not count; one metric is a mean of nothing, the other without bound."""
    known = torch.logical_not(torch.isnan(old))
    loss = torch.where(known, (logprobs - torch.where(known, old, 0.0)) ** 2, 0.0).sum()
    nothing = torch.where(known, 0.0, 0.0).sum()
    metrics = {"custom/empty:mean": nothing / nothing, "custom/top:sum": 1.0 / nothing}
    return loss, metrics


def test_nan_and_infinity_reach_a_loss_on_the_server_and_come_back() -> None:
    """In protobuf. In JSON the input is refused, and of the metrics it is known that they are no numbers."""
    gaps = np.array([-5.0, np.nan, -6.0, np.nan, -4.0], np.float32)
    for options in (Options(), Options(protobuf=False)):
        with (
            LocalServer(options=options) as running,
            tinker.ServiceClient(base_url=running.url) as service,
        ):
            handle = service.create_custom_loss(with_gaps, {"logprobs": 1, "old": 1}).result()
            client = new(service)
            future = client.forward_backward_custom(batch(old=gaps), handle)
            if options.protobuf:
                result = future.result()
                expected = sum(
                    np.nansum((output["logprobs"].to_numpy() - gaps) ** 2)
                    for output in result.loss_fn_outputs
                )
                assert result.metrics["loss:sum"] == pytest.approx(float(expected), rel=1e-5)
            else:
                where = r"data\[0\].loss_fn_inputs\['old'\].data\[1\] is nan, which JSON cannot represent"
                with pytest.raises(ValueError, match=where):
                    future.result()
                whole = np.nan_to_num(gaps)
                result = client.forward_backward_custom(batch(old=whole), handle).result()
            assert np.isnan(result.metrics["custom/empty:mean"])
            top = result.metrics["custom/top:sum"]
            assert top == np.inf if options.protobuf else np.isnan(top)
            norm = client.optim_step(tinker.AdamParams()).result().metrics
            assert norm is not None
            assert norm["unclipped_grad_l2:mean"] > 0
