"""One training in each encoding: every number is the same, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinker
from tests.support.relay import Relay
from tinker_local import LocalServer
from tinker_local.options import Options

MODEL = "tinker-local/tiny"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"

SERVERS = {
    "protobuf": Options(),
    "protobuf+zstd": Options(zstd=True),
    "JSON": Options(protobuf=False),
}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What comes out of the training in protobuf."""
    with LocalServer() as server:
        return train(server.url)


@pytest.mark.parametrize("encoding", SERVERS)
def test_the_numbers_do_not_depend_on_the_encoding(encoding: str, expected: dict[str, Any]) -> None:
    with LocalServer(options=SERVERS[encoding]) as server, Relay(server.url) as relay:
        numbers = train(relay.url)
        assert numbers.keys() == expected.keys()
        for name, value in numbers.items():
            same(value, expected[name], name)
        check_the_wire(encoding, relay)


def check_the_wire(encoding: str, relay: Relay) -> None:
    batches, forwards = relay.exchanges("forward_backward"), relay.exchanges("forward")
    refused = [batch for batch in batches if batch.status != 200]
    accepted = [batch for batch in batches if batch.status == 200] + forwards
    results = [
        poll.came["content-type"]
        for poll in relay.exchanges("retrieve_future")
        if PROTOBUF in poll.sent["accept"] and b'"try_again"' not in poll.content
    ]
    assert len(accepted) == BATCHES
    assert len(results) == BATCHES + SAMPLES
    compressed = "zstd" if encoding == "protobuf+zstd" else None
    assert {batch.sent.get("content-encoding") for batch in accepted} == {compressed}
    wanted = JSON if encoding == "JSON" else PROTOBUF
    assert {batch.sent["content-type"] for batch in accepted} == {wanted}
    assert set(results) == {wanted}
    if encoding == "JSON":
        # Protobuf was tried once, and no more.
        assert [(batch.status, batch.sent["content-type"]) for batch in refused] == [
            (415, PROTOBUF)
        ]
        assert forwards
    else:
        assert refused == forwards == []


# ---- the training ---------------------------------------------------------------------------

CHUNKS = 3
BATCHES = 2 * CHUNKS + 9
"""Two calls of three chunks, eight of one, one of which takes two passes."""
SAMPLES = 2


def train(url: str) -> dict[str, Any]:
    """A session with all that an encoding carries; its numbers by what they are of."""
    numbers: dict[str, Any] = {}
    with tinker.ServiceClient(base_url=url) as service:
        run = service.create_lora_training_client(MODEL, rank=4, seed=7).result()

        def loss(name: str, data: list[tinker.Datum], loss_fn: Any, **config: float) -> None:
            numbers[name] = output(run.forward_backward(data, loss_fn, config or None).result())

        loss("several chunks", plain(2 * 128 + 1), "cross_entropy")
        numbers["only forward"] = output(run.forward(plain(2 * 128 + 1), "cross_entropy").result())
        loss("weights", [datum(weights=WEIGHTS)], "cross_entropy")
        step(run, numbers, "first")
        loss("two axes", [datum(targets=WIDE, weights=WIDE / np.float32(7))], "cross_entropy")
        loss("sparse", [sparse()], "cross_entropy")
        loss("importance sampling", [datum(**POLICY)], "importance_sampling")
        loss("ppo", [datum(**POLICY)], "ppo", clip_low_threshold=0.7, clip_high_threshold=1 / 3 + 1)
        step(run, numbers, "second")
        loss("thresholds of each token", [datum(**POLICY, **THRESHOLDS)], "ppo")
        custom = run.forward_backward_custom([datum()], tinker.NumpyLoss(squares)).result()
        numbers["custom"] = output(custom)
        step(run, numbers, "third")
        saved = run.save_state("here").result().path
        again = service.create_training_client_from_state_with_optimizer(saved).result()
        numbers["loaded"] = output(again.forward([datum()], "cross_entropy").result())
        sampler = run.save_weights_and_get_sampling_client("there").result()
        numbers["samples"] = sample(sampler)
        prompt = tinker.ModelInput.from_ints(TOKENS)
        numbers["logprobs"] = sampler.compute_logprobs(prompt).result()
    return numbers


def step(run: tinker.TrainingClient, numbers: dict[str, Any], name: str) -> None:
    params = tinker.AdamParams(learning_rate=1 / 300, weight_decay=0.01, grad_clip_norm=1.0)
    numbers[f"{name} step"] = dict(run.optim_step(params).result().metrics or {})


def output(result: tinker.ForwardBackwardOutput) -> dict[str, Any]:
    return {
        "type": result.loss_fn_output_type,
        "metrics": result.metrics,
        "outputs": [
            {name: (array.dtype, array.to_numpy()) for name, array in one.items()}
            for one in result.loss_fn_outputs
        ],
    }


def sample(sampler: tinker.SamplingClient) -> Any:
    response = sampler.sample(
        tinker.ModelInput.from_ints(TOKENS),
        3,
        tinker.SamplingParams(max_tokens=8, temperature=0.9, top_p=0.95, seed=11),
        include_prompt_logprobs=True,
        topk_prompt_logprobs=3,
        topk_sample_logprobs=2,
    ).result()
    return {
        "prompt": (response.prompt_logprobs_np, response.prompt_logprobs),
        "topk": response.topk_prompt_logprobs,
        "sequences": [
            (one.stop_reason, one.tokens, one.logprobs_np, one.topk_logprobs)
            for one in response.sequences
        ],
    }


TOKENS = [104, 101, 108, 108, 111, 32, 119]
_random = np.random.default_rng(5)
# Among them what is hard to write in decimals: the smallest of all, a negative zero, a third.
WEIGHTS = np.array([1e-45, -0.0, 1 / 3, 1e30, 1.1754942e-38, -2.5, 0.1], np.float32)
WIDE = _random.integers(0, 256, (7, 3))
POLICY = {
    "logprobs": _random.normal(-5.6, 0.3, 7).astype(np.float32),
    "advantages": _random.normal(size=7).astype(np.float32),
}
THRESHOLDS = {
    "clip_low_threshold": _random.uniform(0.5, 1, 7).astype(np.float32),
    "clip_high_threshold": _random.uniform(1, 1.5, 7).astype(np.float32),
}


def plain(count: int) -> list[tinker.Datum]:
    return [
        tinker.Datum(tinker.ModelInput.from_ints([number % 256, 65, 66, 10]))
        for number in range(count)
    ]


def datum(targets: Any = None, **inputs: Any) -> tinker.Datum:
    targets = np.array([*TOKENS[1:], 10]) if targets is None else targets
    given = {"target_tokens": targets, **inputs}
    return tinker.Datum(tinker.ModelInput.from_ints(TOKENS), given)


def sparse() -> tinker.Datum:
    place: dict[str, Any] = {
        "shape": [7, 9],
        "sparse_crow_indices": [0, 1, 1, 3, 3, 3, 4, 4],
        "sparse_col_indices": [2, 0, 8, 5],
    }
    return datum(
        tinker.TensorData([1, 2, 3, 4], **place),
        weights=tinker.TensorData([0.1, 1 / 3, -2.5, 1e-6], **place),
    )


def squares(data: Any, logprobs: list[Any]) -> tuple[float, dict[str, float], list[Any]]:
    value = sum(float((array**2).sum()) for array in logprobs)
    return value, {"own": 1 / 3}, [2 * array for array in logprobs]


def same(one: Any, other: Any, where: str) -> None:
    """Equal in type and to the bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            same(one[name], other[name], f"{where}, {name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{where}[{number}]")
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        assert one.tobytes() == other.tobytes(), where
    else:
        assert one == other, where
