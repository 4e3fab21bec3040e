"""Thousands of samples in flight: in turn, without a storm of requests, and each exactly once whatever gets lost."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable
from typing import Any

import pytest

import tinker
from tests.support.sampling_server import SamplingServer
from tinker._protocol import back_pressure, completions_feed, retry
from tinker._protocol.back_pressure import MAX_BEING_SENT, Backpressure
from tinker._protocol.completions_feed import MAX_FETCHED
from tinker._protocol.progress import Progress
from tinker.retry_config import RetryConfig

ONE = tinker.SamplingParams(max_tokens=1)
Samples = list[tinker.APIFuture[tinker.SampleResponse]]


@pytest.fixture(autouse=True)
def quick_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(back_pressure, "_FIRST_PAUSE", 0.005)
    monkeypatch.setattr(back_pressure, "_LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(completions_feed, "ACK_DELAY", 0.01)
    monkeypatch.setattr(retry, "BILLING_PAUSE", 0.01)


def ask(client: tinker.SamplingClient, numbers: range) -> Samples:
    return [client.sample(tinker.ModelInput.from_ints([n]), 1, ONE) for n in numbers]


def tokens_of(samples: Samples) -> list[list[int]]:
    return [list(sample.result(timeout=30).sequences[0].tokens) for sample in samples]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The calls, by number, in the order in which each was sent for the first time."""
    order: list[int] = []
    numbers = itertools.count()
    original = Backpressure.send

    async def send(gate: Backpressure, send: Any, size: int, progress: Progress) -> Any:
        number = next(numbers)

        async def noted() -> Any:
            if number not in order:
                order.append(number)
            return await send()

        return await original(gate, noted, size, progress)

    monkeypatch.setattr(Backpressure, "send", send)
    return order


@pytest.mark.parametrize("feed", [False, True])
def test_a_server_that_takes_few_at_once_gets_them_in_order(feed: bool, begun: list[int]) -> None:
    with SamplingServer(feed=feed, capacity=50, per_tick=2) as server:
        assert tokens_of(ask(server.sampler(), range(1000))) == [[n] for n in range(1000)]
    assert 0 < server.refused < 1000  # a server that is full is asked by few; else by 3,000
    assert server.at_once["asample"] <= MAX_BEING_SENT
    # First come, first served; those on the way at once may arrive in any order. See also unit/test_back_pressure.py.
    assert begun == list(range(1000))
    assert sorted(tokens[0] for tokens in server.sampled.values()) == list(range(1000))


def test_with_a_feed_thousands_wait_on_one_poll() -> None:
    with SamplingServer(feed=True, per_tick=0) as server:
        samples = ask(server.sampler(), range(2000))
        server.wait_until(lambda: len(server.sampled) == 2000)
        assert len(server.requests["retrieve_futures"]) == 1
        assert server.requests["retrieve_future"] == []
        server.finish(2000)
        assert tokens_of(samples) == [[n] for n in range(2000)]
        server.wait_until(lambda: len(server.acknowledged) == 2000)
    assert server.at_once["retrieve_futures"] == 1
    assert server.at_once["retrieve_future"] <= MAX_FETCHED
    assert len(server.requests["retrieve_future"]) == 2000
    assert server.peak_connections <= MAX_BEING_SENT + MAX_FETCHED + 2


def test_without_a_feed_no_more_polls_than_the_server_allows() -> None:
    config = {"sample_max_concurrent_requests": 20}
    with SamplingServer(config=config, per_tick=5) as server:
        assert tokens_of(ask(server.sampler(), range(200))) == [[n] for n in range(200)]
    assert server.at_once["retrieve_future"] <= 20


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize(
    "lose",
    [
        lambda number, operation: number > 20 and number % 5 == 0,
        lambda number, operation: operation == "asample" and number % 2 == 0,
        lambda number, operation: operation.startswith("retrieve") and number % 3 == 0,
    ],
)
def test_nothing_is_lost_or_sampled_twice_when_answers_get_lost(
    feed: bool, lose: Callable[[int, str], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    uniform = itertools.repeat(0.01)
    monkeypatch.setattr(random, "uniform", lambda low, high: next(uniform))
    with SamplingServer(feed=feed, per_tick=5, lose=lose) as server:
        assert tokens_of(ask(server.sampler(), range(200))) == [[n] for n in range(200)]
    assert sorted(server.sampled) == list(range(200))
    assert sorted(tokens[0] for tokens in server.sampled.values()) == list(range(200))
    assert server.cancelled == []


def test_a_feed_is_asked_only_while_somebody_waits() -> None:
    with SamplingServer(feed=True) as server:
        client = server.sampler()
        for n in range(3):
            assert tokens_of(ask(client, range(n, n + 1))) == [[n]]
        server.wait_until(lambda: len(server.acknowledged) == 3)
        polls = server.requests["retrieve_futures"]
        assert polls[-1]["timeout"] == 0  # only acknowledges: the server does not hold it
        cursors = [poll["prev_cursor"] for poll in polls]
        assert cursors == sorted(cursors)
        # One that was held for each sample, and one for what is left to be acknowledged, at the most.
        assert len(polls) <= 6


def test_what_is_left_is_acknowledged_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completions_feed, "ACK_DELAY", 3600.0)
    with SamplingServer(feed=True) as server:
        with tinker.ServiceClient(base_url=server.url) as service:
            client = service.create_sampling_client(base_model="m").result(timeout=10)
            tokens_of(ask(client, range(10)))
        assert len(server.acknowledged) == 10


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ((404, {"detail": "Not Found"}), logging.INFO),
        ((403, {"detail": "no"}), logging.WARNING),
        ((200, {"completions": "?"}), logging.WARNING),
    ],
)
def test_without_its_route_or_when_it_fails_each_sample_is_asked_for(
    answer: tuple[int, object],
    level: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(completions_feed, "_POLICY", retry.NEVER)

    async def route(body: object) -> tuple[int, object]:
        return answer

    with SamplingServer(feed=True) as server, caplog.at_level(logging.INFO, "tinker"):
        server.routes["retrieve_futures"] = route
        client = server.sampler()
        assert tokens_of(ask(client, range(50))) == [[n] for n in range(50)]
        assert tokens_of(ask(client, range(50, 60))) == [[n] for n in range(50, 60)]
    # A refusal is believed when it comes twice. Then the feed is not asked again.
    asked = 1 if answer[0] == 200 else 2
    assert len(server.requests["retrieve_futures"]) == asked
    (record,) = [r for r in caplog.records if "completions feed" in r.getMessage()]
    assert record.levelno == level


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_one_stray_refusal_does_not_end_the_feed(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with SamplingServer(feed=True, per_tick=0) as server, caplog.at_level(logging.INFO, "tinker"):
        feed = server.routes["retrieve_futures"]

        async def route(body: dict[str, object]) -> tuple[int, object]:
            if len(server.requests["retrieve_futures"]) in (1, 4):
                return status, {"detail": "Not Found"}
            return await feed(body)

        server.routes["retrieve_futures"] = route
        client = server.sampler()
        for n in range(4):
            samples = ask(client, range(n, n + 1))
            server.wait_until(lambda n=n: len(server.sampled) == n + 1)
            server.finish(1)
            assert tokens_of(samples) == [[n]]
    assert len(server.requests["retrieve_futures"]) > 4
    assert [text for text in caplog.messages if "completions feed" in text] == []


@pytest.mark.parametrize("feed", [False, True])
def test_a_failed_sample_says_why(feed: bool) -> None:
    with SamplingServer(feed=feed, per_tick=0) as server:
        sample, other = ask(server.sampler(), range(2))
        server.wait_until(lambda: len(server.sampled) == 2)
        (failing,) = [f"s:sample:0:{n}" for n, tokens in server.sampled.items() if tokens == [0]]
        server.fail(failing)
        server.finish(1)
        with pytest.raises(tinker.RequestFailedError, match="out of luck"):
            sample.result(timeout=10)
        assert tokens_of([other]) == [[1]]


def test_while_billing_is_paused_one_after_the_other_asks() -> None:
    paid = False

    with SamplingServer() as server:
        asample = server.routes["asample"]

        async def unpaid(body: dict[str, object]) -> tuple[int, object]:
            return await asample(body) if paid else (402, {"detail": "billing"})

        server.routes["asample"] = unpaid
        samples = ask(server.sampler(), range(300))
        server.wait_until(lambda: len(server.requests["asample"]) >= 2 * MAX_BEING_SENT + 5)
        server.at_once.clear()
        server.wait_until(lambda: len(server.requests["asample"]) >= 2 * MAX_BEING_SENT + 20)
        assert server.at_once["asample"] == 1
        paid = True
        assert tokens_of(samples) == [[n] for n in range(300)]


def test_billing_that_stays_paused_is_an_error() -> None:
    async def unpaid(body: object) -> tuple[int, object]:
        return 402, {"detail": "no money"}

    with SamplingServer(config={"billing_exception_max_pause_duration_sec": 0}) as server:
        server.routes["asample"] = unpaid
        (sample,) = ask(server.sampler(), range(1))
        with pytest.raises(tinker.BillingError, match="no money"):
            sample.result(timeout=10)


def test_the_callers_own_limit_holds_with_a_feed_too() -> None:
    with SamplingServer(feed=True, per_tick=0) as server:
        samples = ask(server.sampler(RetryConfig(max_connections=5)), range(12))
        server.wait_until(lambda: len(server.sampled) == 5)
        assert len(server.unfinished) == 5
        for taken in (10, 12):
            server.finish(5)
            server.wait_until(lambda taken=taken: len(server.sampled) == taken)
        server.finish(5)
        assert tokens_of(samples) == [[n] for n in range(12)]
