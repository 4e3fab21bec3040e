"""A limit on the bytes in flight: who waits, who goes next, and what a cancelled turn leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, strategies as st

from tinker._protocol.byte_budget import ByteBudget


@contextmanager
def turns(budget: ByteBudget, *sizes: int) -> Iterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(budget.take(size)) for size in sizes]
    yield tasks
    for task in tasks:
        task.cancel()


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_a_small_request_does_not_overtake_a_large_one_until_that_is_cancelled() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        with turns(budget, 8, 9, 1) as (_, large, small):
            await settle()
            assert not large.done()
            assert not small.done()
            large.cancel()
            await settle()
            assert small.done()
            assert not budget.has(2)

    asyncio.run(main())


def test_bytes_of_a_turn_that_comes_and_is_cancelled_at_once_are_free_again() -> None:
    async def main() -> None:
        budget = ByteBudget(10)
        with turns(budget, 10, 10, 10) as (_, second, third):
            await settle()
            budget.release(10)  # the second turn has come, and its task does not know yet
            second.cancel()
            await settle()
            assert second.cancelled()
            assert third.done()
            assert not third.cancelled()

    asyncio.run(main())


@given(
    limit=st.integers(1, 20),
    sizes=st.lists(st.integers(0, 30), max_size=12),
    given_up=st.sets(st.integers(0, 11)),
)
def test_everybody_gets_a_turn_and_the_limit_holds(
    limit: int, sizes: list[int], given_up: set[int]
) -> None:
    async def main() -> None:
        budget, in_flight, served = ByteBudget(limit), [], set()

        async def one(index: int, size: int) -> None:
            await budget.take(size)
            in_flight.append(size)
            try:
                # More than the limit only where one is alone.
                assert sum(in_flight) <= max(limit, size)
                await asyncio.sleep(0)
            finally:
                in_flight.remove(size)
                budget.release(size)
            served.add(index)

        tasks = [asyncio.create_task(one(*pair)) for pair in enumerate(sizes)]
        await asyncio.sleep(0)
        for index in given_up:
            if index < len(tasks):
                tasks[index].cancel()
        async with asyncio.timeout(5):
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [end for end in ends if isinstance(end, AssertionError)]
        assert served >= set(range(len(sizes))) - given_up
        assert budget.has(limit + 1)  # as only an empty one has

    asyncio.run(main())
