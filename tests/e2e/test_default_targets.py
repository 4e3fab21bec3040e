"""A datum without targets: each position predicts the next token, and the last predicts nothing, which nobody trains or sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinker

TOKENS = list(b"to be or not")
PROMPT = tinker.ModelInput.from_ints(TOKENS)
PARAMS = tinker.AdamParams(learning_rate=1e-2)


def explicit() -> tinker.Datum:
    """The same without an invented target: the last token is not read."""
    return tinker.Datum(
        tinker.ModelInput.from_ints(TOKENS[:-1]), {"target_tokens": TOKENS[1:]}
    )  # fmt: skip


def new(service: tinker.ServiceClient) -> tinker.TrainingClient:
    return service.create_lora_training_client("tinker-local/tiny", rank=4, seed=7).result(60)


def after(client: tinker.TrainingClient) -> np.ndarray:
    """The log-probabilities after a step."""
    client.optim_step(PARAMS)
    output = client.forward([explicit()], "cross_entropy").result(60)
    return output.loss_fn_outputs[0]["logprobs"].to_numpy()


def squared(
    data: Any, logprobs: list[np.ndarray]
) -> tuple[float, dict[str, float], list[np.ndarray]]:
    total = sum(float((lp**2).sum()) for lp in logprobs)
    return total, {"tokens": sum(len(lp) for lp in logprobs)}, [2 * lp for lp in logprobs]


def test_the_built_in_loss_is_that_of_the_tokens_after_the_first(
    service: tinker.ServiceClient,
) -> None:
    one, other = new(service), new(service)
    mine = one.forward_backward([tinker.Datum(PROMPT)], "cross_entropy").result(60)
    theirs = other.forward_backward([explicit()], "cross_entropy").result(60)
    assert mine.metrics["loss:sum"] == pytest.approx(theirs.metrics["loss:sum"], rel=1e-6)
    np.testing.assert_allclose(after(one), after(other), atol=1e-6)


def test_the_mean_loss_is_per_unit_of_weight(service: tinker.ServiceClient) -> None:
    """Also of chunks of unlike weight: 128 datums with one token that counts, and one with all."""
    client = new(service)
    targets, count = TOKENS[1:], len(TOKENS) - 1

    def datum(*weights: float) -> tinker.Datum:
        inputs = {"target_tokens": targets, "weights": list(weights)}
        return tinker.Datum(tinker.ModelInput.from_ints(TOKENS[:-1]), inputs)

    one_each = [datum(*[0.0] * (count - 1), 1.0)] * 128
    data = [*one_each, datum(*[1.0] * count)]
    output = client.forward(data, "cross_entropy").result(60)
    logprobs = [found["logprobs"].to_numpy() for found in output.loss_fn_outputs]
    total = -sum(values[-1] for values in logprobs[:128]) - logprobs[128].sum()
    assert output.metrics["loss:mean"] == pytest.approx(total / (128 + count), rel=1e-5)

    implicit = client.forward([tinker.Datum(PROMPT)], "cross_entropy").result(60).metrics
    assert implicit["loss:mean"] == pytest.approx(implicit["loss:sum"] / count)
    for weights in ([1.0, -1.0] * count)[:count], [0.0] * count:
        assert (
            "loss:mean" not in client.forward([datum(*weights)], "cross_entropy").result(60).metrics
        )


def test_what_stands_at_the_invented_target_is_not_shown(service: tinker.ServiceClient) -> None:
    client = new(service)
    for call in (client.forward, client.forward_backward):
        output = call([tinker.Datum(PROMPT), explicit()], "cross_entropy").result(60)
        mine, theirs = (found["logprobs"].to_numpy() for found in output.loss_fn_outputs)
        assert np.isnan(mine[-1])
        np.testing.assert_allclose(mine[:-1], theirs, atol=1e-6)


def test_a_custom_loss_does_not_see_it(service: tinker.ServiceClient) -> None:
    one, other = new(service), new(service)
    mine = one.forward_backward_custom([tinker.Datum(PROMPT)], tinker.NumpyLoss(squared)).result(60)
    theirs = other.forward_backward_custom([explicit()], tinker.NumpyLoss(squared)).result(60)
    assert mine.metrics["tokens"] == theirs.metrics["tokens"] == len(TOKENS) - 1
    assert mine.metrics["loss:sum"] == pytest.approx(theirs.metrics["loss:sum"], rel=1e-5)
    np.testing.assert_allclose(after(one), after(other), atol=1e-6)
    assert np.isnan(mine.loss_fn_outputs[0]["logprobs"].to_numpy()[-1])


@pytest.mark.parametrize("last", [1, 1.0, -0.5])
def test_weights_without_targets_must_not_train_it(
    service: tinker.ServiceClient, last: float
) -> None:
    weights = np.ones(len(TOKENS), np.float32)
    weights[-1] = last
    with pytest.raises(ValueError, match=r"\['weights'\]\[-1\] is .*its weight must be 0"):
        new(service).forward_backward([tinker.Datum(PROMPT, {"weights": weights})], "cross_entropy")


def test_weights_without_targets_weigh_the_tokens_after_the_first(
    service: tinker.ServiceClient,
) -> None:
    weights = np.linspace(0, 1, len(TOKENS), dtype=np.float32)[::-1].copy()
    one, other = new(service), new(service)
    mine = one.forward_backward([tinker.Datum(PROMPT, {"weights": weights})], "cross_entropy")
    datum = tinker.Datum(
        tinker.ModelInput.from_ints(TOKENS[:-1]),
        {"target_tokens": TOKENS[1:], "weights": weights[:-1]},
    )
    theirs = other.forward_backward([datum], "cross_entropy")
    assert mine.result(60).metrics["loss:sum"] == pytest.approx(
        theirs.result(60).metrics["loss:sum"], rel=1e-6
    )
    np.testing.assert_allclose(after(one), after(other), atol=1e-6)


UNKNOWN = {
    "weight": ("cross_entropy", {"weight": np.ones(3)}, "Did you mean 'weights'?"),
    "Weights": ("cross_entropy", {"Weights": np.ones(3)}, "Did you mean 'weights'?"),
    "advantage": (
        "ppo",
        {"target_tokens": [1, 2, 3], "logprobs": [0.0] * 3, "advantage": np.ones(3)},
        "Did you mean 'advantages'?",
    ),
    "a mask": (
        "importance_sampling",
        {"target_tokens": [1, 2, 3], "logprobs": [0.0] * 3, "advantages": [1.0] * 3, "mask": np.ones(3)},
        "importance_sampling takes these inputs: target_tokens, logprobs, advantages.",
    ),
    "weights of ppo": (
        "ppo",
        {"target_tokens": [1, 2, 3], "logprobs": [0.0] * 3, "advantages": [1.0] * 3, "weights": [1.0] * 3},
        "has 'weights'; ppo takes these inputs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_input_that_the_loss_does_not_read_is_refused(
    case: str, service: tinker.ServiceClient
) -> None:
    loss_fn, inputs, text = UNKNOWN[case]
    datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]), inputs)  # type: ignore[arg-type]
    with pytest.raises(ValueError) as refused:
        new(service).forward_backward([datum], loss_fn)  # type: ignore[arg-type]
    assert text in str(refused.value)


def test_inputs_that_a_loss_is_known_to_read_are_sent(service: tinker.ServiceClient) -> None:
    three = {"target_tokens": [1, 2, 3], "logprobs": [-5.0] * 3, "advantages": [1.0] * 3}
    more = {"clip_low_threshold": [0.5] * 3, "clip_high_threshold": [1.5] * 3}
    prompt = tinker.ModelInput.from_ints([1, 2, 3])
    client = new(service)
    clipped = client.forward_backward([tinker.Datum(prompt, {**three, **more})], "ppo").result(60)
    logprobs = clipped.loss_fn_outputs[0]["logprobs"].to_numpy()
    ratios = np.exp(logprobs + 5)
    assert ratios.max() > 1.5  # or its bound would change nothing
    objective = np.minimum(ratios, ratios.clip(0.5, 1.5)).sum()
    assert clipped.metrics["loss:sum"] == pytest.approx(-objective, rel=1e-5)
    mask = {**three, "sequence_ratio_mask": [0.0, 1.0, 1.0]}
    masked = client.forward_backward([tinker.Datum(prompt, mask)], "gspo").result(60)
    of_the_sequence = np.exp((logprobs + 5)[1:].mean())
    assert masked.metrics["loss:sum"] == pytest.approx(-3 * of_the_sequence, rel=1e-5)


@pytest.mark.parametrize("config", [[("beta", 1.0)], "beta", 3, ["beta"]])
def test_a_config_that_is_not_a_dict_is_a_type_error(
    service: tinker.ServiceClient, config: Any
) -> None:
    with pytest.raises(TypeError, match="loss_fn_config is of type .*; it must be a dict"):
        new(service).forward_backward([tinker.Datum(PROMPT)], "cross_entropy", config)


def of(loss: Any = 1.0, metrics: Any = None, gradients: Any = None) -> tinker.NumpyLoss:
    return tinker.NumpyLoss(
        lambda data, logprobs: (
            loss, {} if metrics is None else metrics,
            [2 * lp for lp in logprobs] if gradients is None else gradients,
        )
    )  # fmt: skip


WRONG: dict[str, tuple[Any, str]] = {
    "two values": (tinker.NumpyLoss(lambda d, lp: (1.0, {})), "a tuple of 2 elements"),  # type: ignore[arg-type,return-value]
    "a loss with a shape": (of(np.ones(3)), r"The loss of a NumpyLoss is of type ndarray with shape \[3\]"),
    "a loss that is text": (of("a lot"), "The loss of a NumpyLoss is 'a lot'"),
    "metrics that are a list": (of(metrics=[1.0]), "metrics of a custom loss are a list of 1 elements"),
    "a metric that is text": (of(metrics={"a": 1.0, "b": "much"}), r"metrics\['b'\] is 'much'; it must be a number"),
    "a metric with a shape": (of(metrics={"b": np.ones(2)}), r"metrics\['b'\] is of type ndarray with shape \[2\]"),
    "a metric that is None": (of(metrics={"b": float}), r"metrics\['b'\] is <class 'float'>"),
    "a gradient of another shape": (of(gradients=[np.ones(3)]), r"gradient of data\[0\] has shape \[3\], its logprobs \[11\]"),
    "a gradient that is text": (of(gradients=["x"]), r"gradient of data\[0\] is 'x'; it must be an array of numbers"),
    "gradients that are none": (of(gradients=5.0), "gradients of a NumpyLoss are 5.0; they must be a list"),
    "one gradient too many": (of(gradients=[np.ones(11)] * 2), "2 gradients for 1 datums"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_a_custom_loss_returns_is_reported_by_name(
    case: str, service: tinker.ServiceClient
) -> None:
    loss, text = WRONG[case]
    with pytest.raises((TypeError, ValueError), match=text):
        new(service).forward_backward_custom([explicit()], loss).result(60)
