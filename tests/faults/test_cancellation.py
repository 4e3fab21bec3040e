"""The server is told of each cancelled sample once, and of no other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import tinker
from tests.support.sampling_server import SamplingServer
from tinker._protocol import back_pressure

ONE = tinker.SamplingParams(max_tokens=1)


def prompt(n: int) -> tinker.ModelInput:
    return tinker.ModelInput.from_ints([n, n])


async def by_task(client: tinker.SamplingClient) -> None:
    async def wait() -> None:
        await client.sample(prompt(0), 1, ONE)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def by_time(client: tinker.SamplingClient) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(client.sample(prompt(0), 1, ONE), 0.05)


async def by_failed_group(client: tinker.SamplingClient) -> None:
    async def fail() -> None:
        raise ValueError

    async def wait() -> None:
        await client.sample(prompt(0), 1, ONE)

    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(fail())


async def by_future(client: tinker.SamplingClient) -> None:
    future = client.sample(prompt(0), 1, ONE)
    assert future.future().cancel()
    assert future.future().cancelled()


async def by_future_of_logprobs(client: tinker.SamplingClient) -> None:
    client.compute_logprobs(prompt(0)).future().cancel()


async def by_task_of_logprobs(client: tinker.SamplingClient) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(client.compute_logprobs(prompt(0)), 0.05)


WAYS = [by_task, by_time, by_failed_group, by_future, by_future_of_logprobs, by_task_of_logprobs]


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("give_up", WAYS)
def test_every_way_to_give_up_reaches_the_server(
    give_up: Callable[[tinker.SamplingClient], Coroutine[Any, Any, None]], feed: bool
) -> None:
    """It is not known how far the sample is when it is given up; all that was taken is cancelled."""
    with SamplingServer(feed=feed, per_tick=0) as server:
        client = server.sampler()
        kept = client.sample(prompt(1), 1, ONE)
        server.wait_until(lambda: len(server.sampled) == 1)
        asyncio.run(give_up(client))
        ended = client.sample(prompt(2), 1, ONE)
        server.wait_until(lambda: [2, 2] in server.sampled.values())
        taken = [f"s:sample:0:{n}" for n, tokens in server.sampled.items() if tokens == [0, 0]]
        server.wait_until(lambda: server.cancelled == taken)
        server.finish(10)
        assert kept.result(timeout=10).sequences[0].tokens == [1, 1]
        assert ended.result(timeout=10).sequences[0].tokens == [2, 2]


@pytest.mark.parametrize("feed", [False, True])
def test_a_sample_that_was_taken_is_cancelled(feed: bool) -> None:
    with SamplingServer(feed=feed, per_tick=0) as server:
        future = server.sampler().sample(prompt(0), 1, ONE)
        server.wait_until(lambda: len(server.sampled) == 1)
        future.future().cancel()
        server.wait_until(lambda: server.cancelled == ["s:sample:0:0"])


def test_a_sample_whose_answer_is_still_to_come_is_cancelled_when_it_has() -> None:
    answer = asyncio.Event()
    with SamplingServer(per_tick=0) as server:
        asample = server.routes["asample"]

        async def slow(body: dict[str, Any]) -> Any:
            promise = await asample(body)
            await answer.wait()
            return promise

        server.routes["asample"] = slow
        future = server.sampler().sample(prompt(0), 1, ONE)
        server.wait_until(lambda: len(server.sampled) == 1)
        future.future().cancel()
        assert server.cancelled == []
        server.call(answer.set)
        server.wait_until(lambda: server.cancelled == ["s:sample:0:0"])


def test_a_sample_that_was_not_sent_yet_never_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(back_pressure, "MAX_BEING_SENT", 1)
    answer = asyncio.Event()
    with SamplingServer(per_tick=1) as server:
        asample = server.routes["asample"]

        async def slow(body: dict[str, Any]) -> Any:
            promise = await asample(body)
            await answer.wait()
            return promise

        server.routes["asample"] = slow
        client = server.sampler()
        first = client.sample(prompt(1), 1, ONE)
        server.wait_until(lambda: len(server.sampled) == 1)
        waiting = [client.sample(prompt(0), 1, ONE) for _ in range(5)]
        last = client.sample(prompt(2), 1, ONE)
        for future in waiting:
            future.future().cancel()
        server.call(answer.set)
        assert first.result(timeout=10).sequences[0].tokens == [1, 1]
        assert last.result(timeout=10).sequences[0].tokens == [2, 2]
        assert list(server.sampled.values()) == [[1, 1], [2, 2]]
        assert server.requests["cancel_future"] == []


@pytest.mark.parametrize("feed", [False, True])
def test_hundreds_are_cancelled_a_few_at_once(feed: bool) -> None:
    """Even if answers get lost, each is told, and the others are sampled once."""
    lose: Callable[[int, str], bool] = lambda number, operation: (  # noqa: E731
        operation == "cancel_future" and number % 9 == 0
    )
    with SamplingServer(feed=feed, per_tick=0, lose=lose) as server:
        client = server.sampler()
        futures = [client.sample(prompt(n), 1, ONE) for n in range(200)]
        server.wait_until(lambda: len(server.sampled) == 200)
        for future in futures[::2]:
            future.future().cancel()
        given_up = {f"s:sample:0:{n}" for n, tokens in server.sampled.items() if tokens[0] % 2 == 0}
        server.wait_until(lambda: set(server.cancelled) == given_up)
        assert server.at_once["cancel_future"] <= 4
        server.finish(200)
        for n, future in enumerate(futures):
            if n % 2:
                assert future.result(timeout=10).sequences[0].tokens == [n, n]
    assert len(server.sampled) == 200


def test_what_was_abandoned_before_the_end_is_reported_before_it() -> None:
    with SamplingServer(per_tick=0) as server:
        with tinker.ServiceClient(base_url=server.url) as service:
            client = service.create_sampling_client(base_model="m").result(timeout=10)
            futures = [client.sample(prompt(n), 1, ONE) for n in range(20)]
            server.wait_until(lambda: len(server.sampled) == 20)
            for future in futures:
                future.future().cancel()
        assert len(server.cancelled) == 20


def test_waiting_no_longer_is_not_giving_up() -> None:
    with SamplingServer(per_tick=0) as server:
        future = server.sampler().sample(prompt(0), 1, ONE)
        server.wait_until(lambda: len(server.requests["retrieve_future"]) == 1)
        for _ in range(3):
            with pytest.raises(TimeoutError, match="waiting for the result"):
                future.result(timeout=0.01)
        server.finish(1)
        assert future.result(timeout=10).sequences[0].tokens == [0, 0]
        assert server.requests["cancel_future"] == []


def test_a_server_without_the_route_is_not_told() -> None:
    with SamplingServer(per_tick=0, dynamic_config={"sample_cancel_enabled": False}) as server:
        with tinker.ServiceClient(base_url=server.url) as service:
            client = service.create_sampling_client(base_model="m").result(timeout=10)
            future = client.sample(prompt(0), 1, ONE)
            server.wait_until(lambda: len(server.sampled) == 1)
            future.future().cancel()
        assert server.requests["cancel_future"] == []
