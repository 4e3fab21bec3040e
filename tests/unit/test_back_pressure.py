"""The gate of all samples: whose turn it is."""

from __future__ import annotations

import asyncio
import itertools
import types
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest

from tinker._protocol import back_pressure, retry
from tinker._protocol.progress import Progress
from tinker._protocol.telemetry import Telemetry


def test_a_refused_request_keeps_its_turn_though_the_pause_is_over_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(0.0, 100.0)  # each look at it finds that every pause is over
    monkeypatch.setattr(back_pressure, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(back_pressure, "MAX_BEING_SENT", 1)
    sent: list[str] = []

    async def one(gate: back_pressure.Backpressure, name: str, *statuses: int) -> int:
        answers = iter(statuses)

        async def send() -> httpx.Response:
            sent.append(name)
            await asyncio.sleep(0)  # so that the others come and wait
            return httpx.Response(next(answers))

        response = await gate.send(send, 10, Progress("asample"))
        return response.status_code

    async def all_of_them() -> list[int]:
        gate = back_pressure.Backpressure(1000, Telemetry())
        first = one(gate, "first", 429, 402, 429, 200)
        others = [one(gate, name, 200) for name in ("second", "third")]
        return await asyncio.gather(first, *others)

    assert asyncio.run(all_of_them()) == [200, 200, 200]
    assert sent == ["first"] * 4 + ["second", "third"]


def test_half_as_many_are_sent_at_once_after_a_refusal() -> None:
    at_once = back_pressure.MAX_BEING_SENT
    sending: list[asyncio.Future[httpx.Response]] = []

    def answer(status: int, **headers: str) -> None:
        for response in sending:
            response.set_result(httpx.Response(status, headers=headers))
        sending.clear()

    async def all_of_them() -> None:
        sent = asyncio.Semaphore(0)
        is_full = True

        async def send() -> httpx.Response:
            if not is_full:
                return httpx.Response(200)
            sending.append(asyncio.get_running_loop().create_future())
            sent.release()
            return await sending[-1]

        telemetry = MagicMock(spec=Telemetry)
        gate = back_pressure.Backpressure(10**6, telemetry)
        progress = Progress("asample")
        tasks = [asyncio.create_task(gate.send(send, 10, progress)) for _ in range(2 * at_once)]
        for refusals, expected in enumerate([at_once, at_once // 2, at_once // 4], 1):
            for _ in range(expected):
                await sent.acquire()
            await asyncio.sleep(0)  # one more would be sent now
            assert len(sending) == expected
            answer(429, **{"retry-after-ms": "50"})
            await asyncio.sleep(0)
            assert {call.args[2] for call in telemetry.retrying.call_args_list} == {
                *range(1, refusals + 1)
            }
        is_full = False
        responses = await asyncio.gather(*tasks)
        assert [response.status_code for response in responses] == [200] * len(tasks)

    asyncio.run(asyncio.wait_for(all_of_them(), 20))


def test_pauses_double_until_a_request_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = 0.0, list[float]()
    monkeypatch.setattr(back_pressure, "time", types.SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(retry, "jittered", lambda pause: pause)
    telemetry = MagicMock(spec=Telemetry)

    def wait(*arguments: Any) -> None:
        nonlocal now
        pauses.append(arguments[-1])
        now += arguments[-1]

    telemetry.retrying.side_effect = wait
    gate = back_pressure.Backpressure(1000, telemetry)

    async def send(*statuses: int) -> list[float]:
        answers = iter(statuses)

        async def one() -> httpx.Response:
            return httpx.Response(next(answers))

        pauses.clear()
        await asyncio.wait_for(gate.send(one, 10, Progress("asample")), 20)
        return list(pauses)

    assert asyncio.run(send(*[429] * 5, 200)) == [1, 2, 4, 8, 10]
    assert asyncio.run(send(429, 429, 200)) == [1, 2]
    assert asyncio.run(send(402, 402, 402, 200)) == [5, 5, 5]
    gate.billing_budget = 10.0
    assert asyncio.run(send(402, 402, 402)) == [5, 5]  # the last one is the caller's


def test_no_more_bytes_are_sent_at_once_than_allowed() -> None:
    most = sending = 0

    async def send() -> httpx.Response:
        nonlocal most, sending
        sending += 1
        most = max(most, sending)
        await asyncio.sleep(0)
        sending -= 1
        return httpx.Response(200)

    async def all_of_them() -> None:
        gate = back_pressure.Backpressure(1000, Telemetry())
        await asyncio.gather(*(gate.send(send, 400, Progress("asample")) for _ in range(9)))

    asyncio.run(asyncio.wait_for(all_of_them(), 20))
    assert most == 2
