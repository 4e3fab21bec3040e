"""What it costs a client to count, to tell an observer, and to make spans and metrics: CPU, as a ratio to a client that does none of it.

    python benchmarks/telemetry.py              two minutes; prints a table
    python benchmarks/telemetry.py --smoke      each once and tiny

All modes take turns in one process, in another order each round, so that a busy machine slows them alike; a figure is the median over
the rounds of the ratio within a round. The server is another process.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from client_scenarios import batch
from run import server, table

import tinker
from tinker._protocol.progress import Progress
from tinker._protocol.telemetry import Telemetry

Work = Callable[[], object]


class Silent(Telemetry):
    """Counts nothing and tells nobody: what all others are compared with."""

    def begun(self, progress: Progress) -> None:
        pass

    def ended(self, progress: Progress, value: object, error: BaseException | None) -> None:
        pass

    async def send(
        self, http: httpx.AsyncClient, request: httpx.Request, *about: Any, stream: bool = False
    ) -> httpx.Response:
        return await http.send(request, stream=stream)

    def polled(self, *about: Any) -> None:
        pass


def heard(event: object) -> None:
    """The least that an observer does."""


@contextmanager
def provider(share: float) -> Iterator[None]:
    """As in a program that has set up OpenTelemetry's SDK; its exporters, which work in threads of their own, are not counted."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    from tinker._protocol import otel

    tracers = TracerProvider(sampler=TraceIdRatioBased(share))
    meters = MeterProvider([InMemoryMetricReader()])
    own = trace.get_tracer_provider, metrics.get_meter_provider
    trace.get_tracer_provider = lambda: tracers
    metrics.get_meter_provider = lambda: meters
    otel._made = None
    try:
        yield
    finally:
        trace.get_tracer_provider, metrics.get_meter_provider = own
        otel._made = None


@contextmanager
def nothing() -> Iterator[None]:
    yield


Modes = dict[str, Callable[[], AbstractContextManager[None]]]

NOTHING = "nothing at all"
WITHOUT: Modes = {NOTHING: nothing, "counters, which always run": nothing, "an observer": nothing}
WITH: Modes = {
    NOTHING: nothing,
    "OpenTelemetry imported, not set up": nothing,
    "OpenTelemetry, no span sampled": lambda: provider(0.0),
    "OpenTelemetry, every span recorded": lambda: provider(1.0),
}
"""Measured after the others: only a program that imports OpenTelemetry pays for looking whether it is set up."""

services = ExitStack()


def client(url: str, mode: str) -> tinker.ServiceClient:
    service = services.enter_context(tinker.ServiceClient(base_url=url, api_key="tml-bench"))
    session = service.session
    if mode == NOTHING:
        session.telemetry = session.connection.telemetry = Silent()
        session.backpressure._telemetry = session.telemetry
    elif "observer" in mode:
        service.observe(heard)
    return service


def samples(url: str, mode: str, count: int) -> Work:
    sampler = client(url, mode).create_sampling_client(base_model="Qwen/Qwen3-8B").result()
    rng = random.Random(3)
    prompts = [[rng.randrange(150_000) for _ in range(512)] for _ in range(count)]
    params = tinker.SamplingParams(max_tokens=64)

    def work() -> None:
        futures = [sampler.sample(tinker.ModelInput.from_ints(p), 1, params) for p in prompts]
        for future in futures:
            future.result()

    return work


def steps(url: str, mode: str, count: int, datums: int, tokens: int) -> Work:
    training = client(url, mode).create_lora_training_client("Qwen/Qwen3-8B").result()
    data = batch(datums, tokens, "numpy", "cross_entropy")()

    def work() -> None:
        for _ in range(count):
            forward = training.forward_backward(data, "cross_entropy")
            optim = training.optim_step()
            forward.result()
            optim.result()

    return work


def measure(modes: Modes, make: Callable[[str], Work], rounds: int) -> dict[str, float]:
    """The median ratio of each mode's CPU to that of doing nothing."""
    works = {mode: make(mode) for mode in modes}
    ratios: dict[str, list[float]] = {mode: [] for mode in works}
    for number in range(rounds + 1):
        spent = {}
        for mode in random.sample([*works], len(works)):
            work = works[mode]
            with modes[mode]():
                gc.collect()
                before = time.process_time()
                work()
                spent[mode] = time.process_time() - before
        for mode, seconds in spent.items():
            if number:  # the first one fills caches
                ratios[mode].append(seconds / spent[NOTHING])
    return {mode: statistics.median(found) for mode, found in ratios.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    smoke = parser.parse_args().smoke
    rounds = 1 if smoke else 25
    scenarios: dict[str, tuple[int, Callable[[str, str], Work]]] = {
        "samples": (64, lambda url, mode: samples(url, mode, 10 if smoke else 500)),
        "steps of 8x512": (512, lambda url, mode: steps(url, mode, 1 if smoke else 60, 8, 512)),
        "steps of 128x4096": (4096, lambda url, mode: steps(url, mode, 1 if smoke else 6, 128, 4096)),
    }  # fmt: skip
    rows: dict[str, list[str]] = {}
    with server(Path(sys.executable)) as url, services:
        for modes in (WITHOUT, WITH):
            if modes is WITH:
                import opentelemetry.trace  # noqa: F401
            for tokens, work in scenarios.values():
                httpx.post(f"{url}/bench/knobs", json={"tokens": tokens})
                ratios = measure(modes, partial(work, url), rounds)
                for mode, ratio in ratios.items():
                    rows.setdefault(mode, []).append(f"{ratio:.3f}")
    del rows[NOTHING]
    print(table([[mode, *row] for mode, row in rows.items()], ["CPU, 1 is a client without", *scenarios]))  # fmt: skip


if __name__ == "__main__":
    main()
