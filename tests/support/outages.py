"""What an outage of a server looks like with many clients: a simulation with a clock of its own, and the client's own rules.

    python -m tests.support.outages docs/outages.svg

Each client trains: it submits, polls until the result is there, thinks, and begins again; while the server is gone, it retries
as `tinker._protocol.retry` says. The server serves a fixed number of requests a second, the first come first.
"""

from __future__ import annotations

import heapq
import itertools
import random
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define, field, frozen

import tinker
from tinker._protocol import retry
from tinker._protocol.polling import GIVE_UP

CLIENTS = 1000
CAPACITY = 2500
"""Requests a second."""
BEFORE, AFTER = 20.0, 20.0
"""Seconds that are shown around the outage."""


@frozen
class Outcome:
    steady: float
    """Requests a second before the outage."""
    rates: list[float]
    """Requests in each second, from `BEFORE` seconds before the outage."""
    delays: list[float]
    """By how many seconds each client is behind one that has had no outage."""

    @property
    def peak(self) -> float:
        return max(self.rates)


@define
class _Server:
    gone: tuple[float, float]
    free_at: float = 0.0

    def serve(self, now: float) -> float | None:
        """When it has served a request; None if it is not there."""
        if self.gone[0] <= now < self.gone[1]:
            return None
        self.free_at = max(self.free_at, now) + 1 / CAPACITY
        return self.free_at


@define
class _World:
    server: _Server
    now: float = 0.0
    arrivals: Counter[int] = field(factory=Counter)
    _events: list[tuple[float, int, Callable[[], None]]] = field(factory=list)
    _numbers: Iterator[int] = field(factory=itertools.count)

    def at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), event))

    def run(self) -> None:
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()


@define
class _Client:
    """Steps of two requests each: a submission, and a poll that is held until the result is there."""

    world: _World
    policy: tinker.RetryPolicy
    steps: int
    chance: random.Random
    tokens: retry.Tokens = field(init=False)
    todo: deque[tuple[float, float]] = field(init=False)
    expected: float = field(init=False)
    """When it would end without an outage."""
    ended: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.tokens = retry.Tokens(self.policy, lambda: self.world.now)
        uniform = self.chance.uniform
        self.todo = deque((uniform(0.5, 1.5), uniform(0.5, 1.5)) for _ in range(self.steps))
        begun = uniform(0, 2)
        self.expected = begun + sum(work + thought for work, thought in self.todo)
        self.world.at(begun, self.begin)

    def begin(self) -> None:
        if not self.todo:
            self.ended = self.world.now
            return
        work, thought = self.todo.popleft()
        self.request(retry.PERSISTENT, 0.0, lambda: self.poll(work, thought))

    def poll(self, work: float, thought: float) -> None:
        self.request(GIVE_UP, work, lambda: self.world.at(self.world.now + thought, self.begin))

    def request(self, kind: tinker.RetryPolicy, held: float, then: Callable[[], None]) -> None:
        """Send until it is served; a poll is held for some seconds, and lost if the server goes meanwhile."""
        world = self.world
        done_at = world.now + held
        attempts = retry.Attempts(retry.within(self.policy, kind), clock=lambda: world.now)

        def send() -> None:
            attempts.made += 1
            world.arrivals[int(world.now)] += 1
            served = world.server.serve(world.now)
            gone = world.server.gone[0]
            if served is not None:
                end = max(served, done_at)
                if served < gone <= end:
                    world.at(gone, again)  # its connection broke
                else:
                    world.at(end, succeed)
            else:
                again()

        def succeed() -> None:
            self.tokens.succeeded()
            then()

        def again() -> None:
            pause = attempts.pause(None, None)
            assert pause is not None, "given up"
            world.at(world.now + max(pause, self.tokens.take()), send)

        send()


def simulate(
    outage: float, policy: tinker.RetryPolicy | None = None, clients: int = CLIENTS, seed: int = 1
) -> Outcome:
    """An outage of so many seconds; the same seed makes the same clients."""
    start = 10 + BEFORE  # by then the clients have spread
    world = _World(_Server((start, start + outage)))
    steps = int((start + AFTER + 10) / 2)
    everyone = [
        _Client(world, policy or tinker.RetryPolicy(), steps, random.Random(seed * clients + n))
        for n in range(clients)
    ]
    world.run()
    shown = range(int(start - BEFORE), int(start + outage + AFTER))
    rates = [float(world.arrivals[second]) for second in shown]
    before = rates[: int(BEFORE)]
    delays = [client.ended - client.expected for client in everyone]
    return Outcome(sum(before) / len(before), rates, delays)


def plot(path: str) -> None:
    """Draw outages of several lengths."""
    from tinker.recipes import curve  # nobody else needs it

    curves = {
        f"gone for {outage} s": [
            (second - BEFORE, rate) for second, rate in enumerate(simulate(outage).rates)
        ]
        for outage in (5, 60, 600)
    }
    title = f"Requests of {CLIENTS:,} clients whose server is gone"
    drawn = curve.lines(
        curves, title, x_title="seconds since the outage began", y_title="requests/s"
    )
    Path(path).write_bytes(drawn)


if __name__ == "__main__":
    plot(sys.argv[1])
