"""Counters and latencies of one session, in memory that does not grow with what is counted."""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from typing import Literal, TypeAlias

from attrs import define, field

from tinker.client_stats import ClientStats, Latency, OperationStats, RequestStats, Waited

Cause: TypeAlias = Literal["server", "queue", "rate_limit", "billing", "retry"]
Outcome: TypeAlias = Literal["done", "failed", "cancelled"]

_PER_DOUBLING = 16
"""Classes of durations: a percentile is known to within half a class, 2.2 %."""
_SHORTEST = 1e-6
_FRESH = 256
"""Durations that are kept as they are before they are sorted into classes, which is faster for many at once."""
# Reentrant: the garbage collector may run `_end`, which sorts others, while it is held.
_sorting = threading.RLock()


@define
class Durations:
    """How often something took how long. Filled by one thread, read by any."""

    count: int = 0
    total: float = 0.0
    longest: float = 0.0
    classes: Counter[int] = field(factory=Counter)
    _fresh: list[float] = field(factory=list)

    def add(self, seconds: float) -> None:
        self._fresh.append(seconds)
        if len(self._fresh) >= _FRESH:
            self.sort()

    def sort(self) -> None:
        """Count the fresh durations too."""
        with _sorting:
            fresh = self._fresh[:]
            del self._fresh[: len(fresh)]  # others may have been added behind them
            self.count += len(fresh)
            self.total += sum(fresh)
            self.longest = max(self.longest, *fresh, 0.0)
            fresh.sort()
            begin = 0
            while begin < len(fresh):
                number = math.floor(math.log2(max(fresh[begin], _SHORTEST)) * _PER_DOUBLING)
                longer = math.exp2((number + 1) / _PER_DOUBLING)
                end = bisect_left(fresh, longer, begin + 1)
                self.classes[number] += end - begin
                begin = end

    def merge(self, other: Durations) -> None:
        """Count those of another one too."""
        other.sort()
        self.count += other.count
        self.total += other.total
        self.longest = max(self.longest, other.longest)
        self.classes.update(dict(other.classes))  # a copy: another thread may sort

    def latency(self) -> Latency:
        self.sort()
        if not self.count:
            return Latency(count=0, mean=math.nan, p50=math.nan, p95=math.nan, p99=math.nan, max=math.nan)  # fmt: skip
        classes = sorted(self.classes.items())
        counted = sum(count for _, count in classes)  # another thread may sort

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
class Requests:
    """Requests of one operation of the contract, each attempt for itself."""

    attempts: int = 0
    failed: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    durations: Durations = field(factory=Durations)
    """Of those with a response."""

    def merge(self, other: Requests) -> None:
        self.attempts += other.attempts
        self.failed += other.failed
        self.bytes_sent += other.bytes_sent
        self.bytes_received += other.bytes_received
        self.durations.merge(other.durations)


@define
class Operations:
    """Operations of one name that have ended."""

    failed: int = 0
    cancelled: int = 0
    durations: Durations = field(factory=Durations)
    """Of those that are done."""

    def merge(self, other: Operations) -> None:
        self.failed += other.failed
        self.cancelled += other.cancelled
        self.durations.merge(other.durations)


class Recorder:
    """Filled on the library's event loop; read from any thread."""

    def __init__(self) -> None:
        self.under_way = 0
        self.polls = 0
        self.requests: defaultdict[str, Requests] = defaultdict(Requests)
        self.operations: defaultdict[str, Operations] = defaultdict(Operations)
        self.retries: Counter[tuple[str, str]] = Counter()
        """By operation and cause."""
        self.waiting: dict[Cause, float] = dict.fromkeys(
            ("server", "queue", "rate_limit", "billing", "retry"), 0.0
        )
        self._began = time.monotonic()

    def request(
        self, operation: str, seconds: float, status: int | None, sent: int, received: int
    ) -> None:
        """One attempt has ended; `status` is None if there was no response."""
        found = self.requests[operation]
        found.attempts += 1
        found.bytes_sent += sent
        self.waiting["server"] += seconds
        if status is None:
            found.failed += 1
            return
        found.bytes_received += received
        found.failed += status >= 400
        found.durations.add(seconds)

    def operation(self, name: str, seconds: float, outcome: Outcome) -> None:
        """One operation has ended."""
        self.under_way -= 1
        found = self.operations[name]
        if outcome == "done":
            found.durations.add(seconds)
        elif outcome == "failed":
            found.failed += 1
        else:
            found.cancelled += 1

    def waited(self, cause: Cause, seconds: float) -> None:
        self.waiting[cause] += seconds

    def waited_in_queue(self, state: str, seconds: float) -> None:
        """A poll, counted among the server's time so far, was held by a queue in this state."""
        self.waiting["server"] -= seconds
        self.waiting["rate_limit" if "rate_limit" in state else "queue"] += seconds

    def merge(self, other: Recorder) -> None:
        """Count what another one has counted too."""
        self.under_way += other.under_way
        self.polls += other.polls
        for name, requests in tuple(other.requests.items()):
            self.requests[name].merge(requests)
        for name, operations in tuple(other.operations.items()):
            self.operations[name].merge(operations)
        self.retries.update(dict(other.retries))
        for cause, seconds in other.waiting.items():
            self.waiting[cause] += seconds

    def stats(self, encoding: str | None) -> ClientStats:
        """All of it, as it is now."""
        retries: Counter[str] = Counter()
        for (_, cause), count in tuple(self.retries.items()):
            retries[cause] += count
        return ClientStats(
            seconds=time.monotonic() - self._began,
            under_way=self.under_way,
            operations={
                name: OperationStats(
                    done=(latency := one.durations.latency()).count,
                    failed=one.failed,
                    cancelled=one.cancelled,
                    latency=latency,
                )
                for name, one in tuple(self.operations.items())
            },
            requests={
                name: RequestStats(
                    attempts=one.attempts,
                    failed=one.failed,
                    bytes_sent=one.bytes_sent,
                    bytes_received=one.bytes_received,
                    latency=one.durations.latency(),
                )
                for name, one in tuple(self.requests.items())
            },
            retries=dict(retries),
            polls=self.polls,
            encoding=encoding,
            waited=Waited(**self.waiting),
        )


# ---- all clients of this process -------------------------------------------------------------

_totals = threading.Lock()
_counting: dict[Recorder, None] = {}
_ended: deque[Recorder] = deque()
"""Recorders whose owners are gone, and which are still among those that count."""
_of_the_ended = Recorder()


def keep(recorder: Recorder, owner: object) -> None:
    """Count a recorder in the totals of this process, also after its owner is gone."""
    _counting[recorder] = None
    weakref.finalize(owner, _end, recorder).atexit = False


def _end(recorder: Recorder) -> None:
    _ended.append(recorder)
    if _totals.acquire(blocking=False):  # the garbage collector may run this while `total` has it
        try:
            _settle()
        finally:
            _totals.release()


def _settle() -> None:
    while _ended:
        recorder = _ended.popleft()
        del _counting[recorder]
        _of_the_ended.merge(recorder)


def total() -> Recorder:
    """What all clients of this process have counted so far; never less than before."""
    with _totals:
        _settle()
        found = Recorder()
        for recorder in (_of_the_ended, *_counting):
            found.merge(recorder)
        return found


def _begin_anew_after_fork() -> None:
    """In a forked process: a thread of the parent may have held a lock, and the parent's operations go on there alone."""
    global _sorting, _totals
    _sorting, _totals = threading.RLock(), threading.Lock()
    for recorder in (_of_the_ended, *_ended, *_counting):
        recorder.under_way = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
