"""How busy the engine is, second by second, for the charts of the page."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator

SECONDS = 600
"""Number of seconds that are kept."""
SERIES = (
    "active_sample_requests",
    "training_utilization",
    "training_tokens",
    "sampling_sample_tokens",
    "sampling_prefill_tokens",
)


class Activity:
    """For use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[int, defaultdict[str, float]] = {}
        self._counted: defaultdict[str, float] = defaultdict(float)

    def count(self, kind: str, amount: float) -> None:
        """Count tokens of what is running."""
        with self._lock:
            self._counted[f"{kind}_tokens"] += amount

    @contextlib.contextmanager
    def running(self, *, is_training: bool) -> Iterator[None]:
        """Spread what the block counts over its duration."""
        begin = time.time()
        with self._lock:
            self._counted.clear()
        try:
            yield
        finally:
            end = max(time.time(), begin + 1e-6)
            with self._lock:
                self._spread(begin, end, is_training)

    def _spread(self, begin: float, end: float, is_training: bool) -> None:
        begin = max(begin, end - SECONDS)
        for second in range(int(begin), int(end) + 1):
            part = min(end, second + 1) - max(begin, second)
            bucket = self._bucket(second)
            if is_training:
                bucket["training_utilization"] += part
            for name, amount in self._counted.items():
                bucket[name] += amount * part / (end - begin)

    def sampling(self, requests: int) -> None:
        """Record how many samples are wanted now."""
        with self._lock:
            bucket = self._bucket(int(time.time()))
            bucket["active_sample_requests"] = max(bucket["active_sample_requests"], requests)

    def _bucket(self, second: int) -> defaultdict[str, float]:
        bucket = self._seconds.get(second)
        if bucket is None:
            bucket = self._seconds[second] = defaultdict(float)
            for old in [one for one in self._seconds if one < second - SECONDS]:
                del self._seconds[old]
        return bucket

    def series(self) -> dict[str, list[float]]:
        """The last complete seconds: their times, and the values of each series."""
        now = int(time.time())
        with self._lock:
            first = max(now - SECONDS, min(self._seconds, default=now))
            times = list(range(first, now))
            found: dict[str, list[float]] = {"time": [float(one) for one in times]}
            for name in SERIES:
                buckets = [self._seconds.get(one) for one in times]
                values = [0.0 if bucket is None else bucket.get(name, 0.0) for bucket in buckets]
                found[name] = [round(value, 3) for value in values]
        return found
