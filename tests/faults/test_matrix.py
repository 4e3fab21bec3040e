"""The matrix: every operation with every fault. A training program comes to what it comes to without faults, bit by bit, and
the server's own books show that nothing was lost and nothing was done twice."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import tinker
from tests.support.fault_proxy import FAULTS, PLACES, FaultProxy, Plan, anywhere, at
from tests.support.outcomes import datum, plain
from tests.support.raw_client import Gate
from tinker._protocol import retry
from tinker_local import LocalServer

MODEL = "tinker-local/tiny"
DEEP = bool(os.environ.get("FAULTS_DEEP"))


@frozen
class World:
    """A server that stays, and the proxy before it."""

    proxy: FaultProxy
    engine: Gate
    books: Path
    expected: list[Any]
    exchanges: Counter[str]
    """Of a run without faults, by operation."""


def train(url: str) -> list[Any]:
    with tinker.ServiceClient(base_url=url) as service:
        training = service.create_lora_training_client(MODEL, rank=2, seed=7).result(timeout=60)
        futures: list[tinker.APIFuture[Any]] = [
            training.forward_backward([datum("one text"), datum("another")], "cross_entropy"),
            training.optim_step(tinker.AdamParams(learning_rate=5e-3)),
            training.forward_backward([datum("a third")], "cross_entropy"),
            training.optim_step(tinker.AdamParams(learning_rate=5e-3)),
            training.save_state("end"),
            training.save_weights_for_sampler("end"),
        ]
        sampler = service.create_sampling_client(futures[-1].result(timeout=60).path).result(60)
        params = tinker.SamplingParams(max_tokens=4, seed=3)
        futures.append(sampler.sample(tinker.ModelInput.from_ints([7, 8]), 1, params))
        return [plain(future.result(timeout=60)) for future in futures]


def entries(books: Path) -> Counter[str]:
    """How often the server has done what, by its own books."""
    with sqlite3.connect(f"file:{books}?mode=ro", uri=True) as database:
        done: Counter[str] = Counter()
        for table in ("sessions", "models", "samplers", "checkpoints"):
            (done[table],) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        for operation, state, count in database.execute(
            "SELECT operation, state, count(*) FROM requests GROUP BY operation, state"
        ):
            done[f"{operation} {state}"] = count
    return done


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data, engine = tmp_path_factory.mktemp("server"), Gate()
    with LocalServer(data, engine=engine) as server, FaultProxy(server.url) as proxy:
        expected = train(proxy.url)
        (books,) = data.glob("*.sqlite")
        yield World(proxy, engine, books, expected, proxy.exchanges.copy())


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BILLING_PAUSE", 0.01)


def survives(world: World, plan: Plan) -> Counter[str]:
    """Train in spite of it; returns what has struck."""
    before, work = entries(world.books), (world.engine.passes, world.engine.steps)
    world.proxy.spoil(plan)
    assert train(world.proxy.url) == world.expected
    assert entries(world.books) - before == Counter(
        {
            "sessions": 1, "models": 1, "samplers": 1, "checkpoints": 2, "create_model done": 1,
            "forward_backward done": 2, "optim_step done": 2, "save_weights done": 1,
            "save_weights_for_sampler done": 1, "asample done": 1,
        }
    )  # fmt: skip
    assert (world.engine.passes - work[0], world.engine.steps - work[1]) == (2, 2)
    return world.proxy.struck


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_each_operation_with_each_fault(world: World, first: int) -> None:
    """Every operation has another fault in each run; all runs together are all combinations."""
    faults = list(FAULTS.values())
    chosen = {place: faults[(first + index) % len(faults)] for index, place in enumerate(PLACES)}
    for operation in ("forward_backward", "optim_step"):
        if chosen[operation, 0].name == "duplicate":  # after which the client has nothing to repeat
            chosen[operation, 1] = chosen.pop((operation, 2))
    struck = survives(world, lambda operation, number: chosen.get((operation, number)))
    assert struck.total() == 2 * len(PLACES)
    # As docs/faults.md shows it: each request that was spoilt is sent once more, and no other.
    repeated = Counter(
        operation for (operation, _), fault in chosen.items() if fault.outcome(operation) == "again"
    )
    for operation in {operation for operation, _ in PLACES} - {"retrieve_future"}:  # polls are many
        more = world.proxy.exchanges[operation] - world.exchanges[operation]
        assert more == repeated[operation], operation


if DEEP:  # make faults-deep

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize(("operation", "number"), PLACES)
    def test_one_fault_alone(world: World, operation: str, number: int, fault: str) -> None:
        number = max(number - 1, 0)  # no earlier fault has made one more exchange
        assert survives(world, at(operation, number, [FAULTS[fault]]))[operation] == 1


@pytest.mark.parametrize("seed", range(3000 if DEEP else 10))
def test_faults_anywhere(world: World, seed: int) -> None:
    survives(world, anywhere(seed, 0.15))
