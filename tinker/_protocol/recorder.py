"""Counters and latencies of one session, in memory that does not grow with what is counted."""

from __future__ import annotations

import math
import time
from typing import Literal, TypeAlias

from attrs import define, field

from tinker.client_stats import ClientStats, Latency, OperationStats, RequestStats, Waited

Cause: TypeAlias = Literal["server", "queue", "rate_limit", "billing", "retry"]

_PER_DOUBLING = 16
"""Classes of durations: a percentile is known to within half a class, 2.2 %."""
_SHORTEST = 1e-6


@define
class Durations:
    """How often something took how long."""

    count: int = 0
    total: float = 0.0
    longest: float = 0.0
    classes: dict[int, int] = field(factory=dict)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)
        number = math.floor(math.log2(max(seconds, _SHORTEST)) * _PER_DOUBLING)
        self.classes[number] = self.classes.get(number, 0) + 1

    def latency(self) -> Latency:
        if not self.count:
            return Latency(count=0, mean=math.nan, p50=math.nan, p95=math.nan, p99=math.nan, max=math.nan)  # fmt: skip
        classes = sorted(self.classes.items())
        counted = sum(count for _, count in classes)  # `count` may be one ahead: another thread

        def percentile(share: float) -> float:
            left = math.ceil(share * counted)
            for number, count in classes:
                left -= count
                if left <= 0:
                    return min(math.exp2((number + 0.5) / _PER_DOUBLING), self.longest)
            return self.longest

        return Latency(
            count=self.count,
            mean=self.total / self.count,
            p50=percentile(0.5),
            p95=percentile(0.95),
            p99=percentile(0.99),
            max=self.longest,
        )


@define
class _Requests:
    attempts: int = 0
    failed: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    durations: Durations = field(factory=Durations)


@define
class _Operations:
    failed: int = 0
    cancelled: int = 0
    durations: Durations = field(factory=Durations)


class Recorder:
    """Filled on the library's event loop; read from any thread."""

    def __init__(self) -> None:
        self.under_way = 0
        self.polls = 0
        self._began = time.monotonic()
        self._requests: dict[str, _Requests] = {}
        self._operations: dict[str, _Operations] = {}
        self._retries: dict[str, int] = {}
        self._waited: dict[Cause, float] = dict.fromkeys(
            ("server", "queue", "rate_limit", "billing", "retry"), 0.0
        )

    def request(
        self, operation: str, seconds: float, *, status: int | None, sent: int, received: int
    ) -> None:
        """One attempt has ended; `status` is None if there was no response."""
        found = self._requests.get(operation)
        if found is None:
            found = self._requests[operation] = _Requests()
        found.attempts += 1
        found.bytes_sent += sent
        self._waited["server"] += seconds
        if status is None:
            found.failed += 1
            return
        found.bytes_received += received
        found.failed += status >= 400
        found.durations.add(seconds)

    def operation(
        self, name: str, seconds: float, outcome: Literal["done", "failed", "cancelled"]
    ) -> None:
        """One operation has ended."""
        self.under_way -= 1
        found = self._operations.get(name)
        if found is None:
            found = self._operations[name] = _Operations()
        if outcome == "done":
            found.durations.add(seconds)
        elif outcome == "failed":
            found.failed += 1
        else:
            found.cancelled += 1

    def retry(self, cause: str) -> None:
        self._retries[cause] = self._retries.get(cause, 0) + 1

    def waited(self, cause: Cause, seconds: float) -> None:
        self._waited[cause] += seconds

    def waited_in_queue(self, state: str, seconds: float) -> None:
        """A poll, counted among the server's time so far, was held by a queue in this state."""
        self._waited["server"] -= seconds
        self._waited["rate_limit" if "rate_limit" in state else "queue"] += seconds

    def stats(self, encoding: str | None) -> ClientStats:
        """All of it, as it is now."""
        return ClientStats(
            seconds=time.monotonic() - self._began,
            under_way=self.under_way,
            operations={
                name: OperationStats(
                    done=one.durations.count,
                    failed=one.failed,
                    cancelled=one.cancelled,
                    latency=one.durations.latency(),
                )
                for name, one in tuple(self._operations.items())
            },
            requests={
                name: RequestStats(
                    attempts=one.attempts,
                    failed=one.failed,
                    bytes_sent=one.bytes_sent,
                    bytes_received=one.bytes_received,
                    latency=one.durations.latency(),
                )
                for name, one in tuple(self._requests.items())
            },
            retries=dict(self._retries),
            polls=self.polls,
            encoding=encoding,
            waited=Waited(**self._waited),
        )
