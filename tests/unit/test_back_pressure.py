"""The gate of all samples: whose turn it is."""

from __future__ import annotations

import asyncio
import itertools
import types

import httpx
import pytest

from tinker._protocol import back_pressure
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
