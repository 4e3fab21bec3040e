"""Requests refused, delayed, lost, doubled and cut, on every operation of a training run: the client's
results are those of an undisturbed run, bit by bit, and the engine has done everything once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

import tinker
from tests.support.outcomes import datum, plain
from tests.support.raw_client import Gate
from tinker_local import LocalServer
from tinker_local.protocol.faults import Fault, FaultRuleError

MODEL = "tinker-local/tiny"
STEPS = 3
OPERATIONS = (
    "create_model",
    "forward_backward",
    "optim_step",
    "save_weights",
    "save_weights_for_sampler",
    "create_sampling_session",
    "asample",
    "retrieve_future",
)


def train(url: str) -> list[Any]:
    """A training program with every operation in it."""
    with tinker.ServiceClient(base_url=url) as service:
        training = service.create_lora_training_client(MODEL, rank=4, seed=7).result(timeout=60)
        futures: list[tinker.APIFuture[Any]] = []
        for step in range(STEPS):
            batch = [datum(f"{step} text number {n}") for n in range(3)]
            futures += [
                training.forward_backward(batch, "cross_entropy"),
                training.optim_step(tinker.AdamParams(learning_rate=5e-3)),
                training.save_state(f"step-{step}"),
            ]
        futures.append(training.forward([datum("some text")], "cross_entropy"))
        saved = training.save_weights_for_sampler("final")
        sampler = service.create_sampling_client(saved.result(timeout=60).path).result(timeout=60)
        params = tinker.SamplingParams(max_tokens=8, seed=3)
        prompt = tinker.ModelInput.from_ints(list(b"text"))
        futures += [saved, *(sampler.sample(prompt, 1, params) for _ in range(4))]
        seq_ids = [future.progress.seq_ids for future in futures[: 3 * STEPS + 2]]  # type: ignore[union-attr]
        assert seq_ids == [[number] for number in range(1, 3 * STEPS + 3)]
        return [plain(future.result(timeout=60)) for future in futures]


def survives(faults: Sequence[str], expected: list[Any]) -> list[int]:
    """Train in spite of these faults; how often each has struck."""
    engine = Gate()
    with LocalServer(engine=engine, faults=faults) as server:
        assert train(server.url) == expected
    assert (engine.passes, engine.steps) == (STEPS + 1, STEPS)
    return [fault.struck for fault in server.faults]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    with LocalServer() as server:
        return train(server.url)


@pytest.mark.parametrize(
    "kind",
    [
        "status=500",
        "status=503",
        "status=429",
        "delay=0.02",
        "drop=before",
        "drop=after",
        "duplicate",
        "truncate",
    ],
)
def test_each_kind_of_fault_on_each_operation(kind: str, expected: list[Any]) -> None:
    struck = survives([f"{operation}:{kind}:times=1" for operation in OPERATIONS], expected)
    assert struck == [1] * len(OPERATIONS)


@pytest.mark.parametrize("operation", ["forward_backward", "optim_step", "retrieve_future"])
def test_faults_one_after_the_other(operation: str, expected: list[Any]) -> None:
    kinds = ("status=500", "drop=after", "duplicate", "truncate", "drop=before")
    assert survives([f"{operation}:{kind}:times=1" for kind in kinds], expected) == [1] * 5


@pytest.mark.parametrize("seed", range(3))
def test_faults_anywhere_at_random(seed: int, expected: list[Any]) -> None:
    kinds = ("status=503", "drop=before", "drop=after", "duplicate", "truncate", "delay=0.01")
    rules = [f"*:{kind}:p=0.08:seed={6 * seed + n}" for n, kind in enumerate(kinds)]
    assert sum(survives(rules, expected)) > 5


def test_a_user_hears_of_a_fault_that_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """No error while there is hope, but not silence either."""
    with (
        caplog.at_level(logging.WARNING, "tinker"),
        LocalServer(faults=["optim_step:status=503:times=4"]) as server,
        tinker.ServiceClient(base_url=server.url) as service,
    ):
        training = service.create_lora_training_client(MODEL, rank=4).result(timeout=60)
        training.optim_step().result(timeout=60)
    told = [record.message for record in caplog.records if "optim_step" in record.message]
    assert told
    assert all("503" in message for message in told)


# ---- rules ----------------------------------------------------------------------------------


def test_a_rule_says_what_goes_wrong() -> None:
    fault = Fault.parse("optim_step:drop=after:p=0.5:times=3:seed=1")
    assert (fault.operation, fault.kind, fault.value) == ("optim_step", "drop", "after")
    assert (fault.probability, fault.times) == (0.5, 3)


def strikes(rule: str, operation: str = "asample", requests: int = 1000) -> list[bool]:
    fault = Fault.parse(rule)
    return [fault.strikes(operation) for _ in range(requests)]


def test_how_often_a_rule_strikes() -> None:
    assert all(strikes("asample:duplicate"))
    assert all(strikes("*:duplicate"))
    assert not any(strikes("asample:duplicate", "optim_step"))
    assert strikes("asample:duplicate:times=2", requests=4) == [True, True, False, False]
    assert 400 < sum(strikes("asample:duplicate:p=0.5")) < 600
    assert not any(strikes("asample:duplicate:p=0"))


def test_a_seed_makes_the_same_choices() -> None:
    first = strikes("*:truncate:p=0.5:seed=1")
    assert strikes("*:truncate:p=0.5:seed=1") == first
    assert strikes("*:truncate:p=0.5:seed=2") != first


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("", "no operation ''"),
        ("optim_stop:drop=before", "no operation 'optim_stop'"),
        ("optim_step", "'' is not status=CODE, delay=SECONDS"),
        ("optim_step:drop", "'drop' is not status=CODE"),
        ("optim_step:drop=later", "'drop=later' is not"),
        ("optim_step:status=200", "'status=200' is not"),
        ("optim_step:status=50²", "'status=50²' is not"),
        ("optim_step:delay=²", "'delay=²' is not"),
        ("optim_step:delay=soon", "'delay=soon' is not"),
        ("*:truncate=1", "'truncate=1' is not"),
        ("*:duplicate:p=2", "p=2 is not p=PROBABILITY"),
        ("*:duplicate:p=nan", "p=nan is not"),
        ("*:duplicate:times=-1", "times=-1 is not"),
        ("*:duplicate:seed=x", "seed=x is not"),
        ("*:duplicate:often", "often= is not p=PROBABILITY"),
    ],
)
def test_an_invalid_rule(rule: str, why: str) -> None:
    with pytest.raises(FaultRuleError, match=why) as refused:
        Fault.parse(rule)
    assert "\n" not in str(refused.value)
