"""Sequencing: numbers from 1 without gaps, turns in the order in which they were taken."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, strategies as st

from tinker._training.sequencing import Sequencer


@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=12), data=st.data())
def test_numbers_are_consecutive_in_the_order_of_the_turns(
    counts: list[int], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(counts))))

    async def scenario() -> list[int]:
        sequencer = Sequencer()
        turns = [sequencer.turn() for _ in counts]
        drawn: dict[int, list[int]] = {}

        async def call(number: int) -> None:
            async with turns[number] as turn:
                await asyncio.sleep(0)
                drawn[number] = turn.draw(counts[number])

        # Whatever the order in which the event loop gets to them.
        await asyncio.gather(*(call(number) for number in order))
        return [seq_id for number in range(len(counts)) for seq_id in drawn[number]]

    assert asyncio.run(scenario()) == list(range(1, sum(counts) + 1))


@given(fails=st.lists(st.booleans(), min_size=1, max_size=10))
def test_a_refused_call_leaves_no_gap(fails: list[bool]) -> None:
    async def scenario() -> list[int]:
        sequencer = Sequencer()
        accepted: list[int] = []

        async def call(refused: bool) -> None:
            async with sequencer.turn() as turn:
                seq_ids = turn.draw(2)
                if refused:
                    turn.return_numbers(seq_ids)
                else:
                    accepted.extend(seq_ids)

        for refused in fails:
            await call(refused)
        return accepted

    accepted = asyncio.run(scenario())
    assert accepted == list(range(1, 2 * fails.count(False) + 1))


def test_only_one_turn_at_a_time() -> None:
    async def scenario() -> int:
        sequencer = Sequencer()
        inside = most = 0

        async def call() -> None:
            nonlocal inside, most
            async with sequencer.turn():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(call() for _ in range(20)))
        return most

    assert asyncio.run(scenario()) == 1


def test_an_exception_in_a_turn_lets_the_next_one_begin() -> None:
    async def scenario() -> list[int]:
        sequencer = Sequencer()
        first, second = sequencer.turn(), sequencer.turn()

        async def failing() -> None:
            async with first:
                raise OSError("down")

        async def working() -> list[int]:
            async with second as turn:
                return turn.draw()

        failed, drawn = await asyncio.gather(failing(), working(), return_exceptions=True)
        assert isinstance(failed, OSError)
        assert not isinstance(drawn, BaseException)
        return drawn

    assert asyncio.run(scenario()) == [1]


def test_a_poisoned_run_refuses_every_later_turn() -> None:
    async def scenario() -> None:
        sequencer = Sequencer()
        first, second, third = (sequencer.turn() for _ in range(3))
        async with first as turn:
            turn.poison(RuntimeError("lost track at seq_id 7"))
        for turn in (second, third):
            with pytest.raises(RuntimeError, match="seq_id 7"):
                async with turn:
                    pass
        with pytest.raises(RuntimeError, match="seq_id 7"):
            sequencer.check()

    asyncio.run(scenario())
