"""What it costs a client to count, to tell an observer, and to make spans and metrics: CPU, as a ratio to a client that does none of it.

    python benchmarks/telemetry.py              minutes; prints a table
    python benchmarks/telemetry.py --rounds 9   less exact
    python benchmarks/telemetry.py --calls      the calls of a sample alone, without a server: seconds, and more exact
    python benchmarks/telemetry.py --smoke      each once and tiny

All modes take turns in one process, in another order each round, so that a busy machine slows them alike; a figure is the ratio of the
least that each has taken in any round. The server is another process.
"""

from __future__ import annotations

import argparse
import contextvars
import gc
import math
import os
import random
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
from client_scenarios import batch
from run import server, table

import tinker
from tinker._protocol import telemetry
from tinker._protocol.progress import Progress
from tinker._protocol.telemetry import Telemetry

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

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


class Bare(Silent):
    """As many spans as the client makes, with as many attributes, by OpenTelemetry's SDK alone: what recording them costs at least."""

    def __init__(self) -> None:
        super().__init__()
        self._spans: dict[Progress, Any] = {}

    def begun(self, progress: Progress) -> None:
        assert telemetry._tracing is not None
        self._tracer = telemetry._tracing._tracer
        self._spans[progress] = self._tracer.start_span("operation", attributes=_ATTRIBUTES)

    def ended(self, progress: Progress, value: object, error: BaseException | None) -> None:
        span = self._spans.pop(progress)
        span.set_attributes(_MORE)
        span.end()

    async def send(
        self, http: httpx.AsyncClient, request: httpx.Request, *about: Any, stream: bool = False
    ) -> httpx.Response:
        span = self._tracer.start_span("request", attributes=_ATTRIBUTES)
        try:
            return await http.send(request, stream=stream)
        finally:
            span.set_attributes(_STATUS)
            span.end()


_ATTRIBUTES: dict[str, AttributeValue] = {f"name.{number}": "a value" for number in range(5)}
_MORE: dict[str, AttributeValue] = {f"more.{number}": number for number in range(12)}
_STATUS: dict[str, AttributeValue] = {"http.response.status_code": 200}


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
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    own = trace.get_tracer_provider, metrics.get_meter_provider, telemetry._tracing
    trace.get_tracer_provider = lambda: tracers
    metrics.get_meter_provider = lambda: meters
    telemetry._tracing = otel.Telemetry()
    try:
        yield
        reader.get_metrics_data()  # as often as each round, which is more often than a program exports
    finally:
        trace.get_tracer_provider, metrics.get_meter_provider, telemetry._tracing = own


@contextmanager
def histograms(share: float) -> Iterator[None]:
    """As `provider`, with the histograms of the conventions."""
    os.environ["TINKER_OTEL_HISTOGRAMS"] = "1"
    try:
        with provider(share):
            yield
    finally:
        del os.environ["TINKER_OTEL_HISTOGRAMS"]


@contextmanager
def nothing() -> Iterator[None]:
    yield


Modes = dict[str, Callable[[], AbstractContextManager[None]]]

NOTHING = "nothing at all"
WITHOUT: Modes = {NOTHING: nothing, "counters, which always run": nothing, "an observer": nothing}
BARE = "bare spans of its SDK, all recorded"
WITH: Modes = {
    NOTHING: nothing,
    "OpenTelemetry imported, not set up": nothing,
    "OpenTelemetry, no span sampled": lambda: provider(0.0),
    "OpenTelemetry, every span recorded": lambda: provider(1.0),
    "OpenTelemetry, no span sampled, histograms": lambda: histograms(0.0),
    BARE: lambda: provider(1.0),
}
"""Measured after the others: only a program that imports OpenTelemetry pays for looking whether it is set up."""

services = ExitStack()


def client(url: str, mode: str) -> tinker.ServiceClient:
    service = services.enter_context(tinker.ServiceClient(base_url=url, api_key="tml-bench"))
    session = service.session
    session.telemetry = session.connection.telemetry = teller(mode)
    session.backpressure._telemetry = session.telemetry
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
    """The ratio of each mode's CPU to that of doing nothing, and the seconds that this took."""
    works = {mode: make(mode) for mode in modes}
    least = dict.fromkeys(works, math.inf)
    for number in range(rounds + 1):
        for mode in random.sample([*works], len(works)):
            work = works[mode]
            with modes[mode]():
                gc.collect()
                before = time.process_time()
                work()
                spent = time.process_time() - before
            if number:  # the first one fills caches
                least[mode] = min(least[mode], spent)
    return {mode: spent / least[NOTHING] for mode, spent in least.items()} | {
        NOTHING: least[NOTHING]
    }


class Canned:
    """In place of an HTTP client: it has the response already."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        return self._response


def calls(told: Telemetry, count: int) -> float:
    """Seconds of a sample's calls, two requests and a poll among them, without what they count and pass on."""
    sequence = SimpleNamespace(tokens_np=range(64), stop_reason="stop")
    sample = SimpleNamespace(sequences=[sequence])
    more: dict[str, Any] = {f"gen_ai.request.{number}": number for number in range(6)}
    http: Any = Canned(httpx.Response(200, content=b"x" * 500))
    url = "http://127.0.0.1:8000/api/v1"
    places = [(name, httpx.URL(f"{url}/{name}")) for name in ("asample", "retrieve_future")]
    samples = [
        (
            contextvars.copy_context(),
            Progress(
                "asample",
                {"sampling_session_id": "s:sample:0"},
                seq_ids=[3],
                request_ids=["s:sample:0:3"],
                model="Qwen/Qwen3-8B",
                prompt_length=lambda: 512,
                attributes=lambda: more,
            ),
            [
                (name, httpx.Request("POST", place, content=b"x" * 1000, headers={"a": "b"}))
                for name, place in places
            ],
        )
        for _ in range(count)
    ]

    def finish(sending: Coroutine[Any, Any, httpx.Response]) -> None:
        with suppress(StopIteration):
            sending.send(None)

    gc.collect()
    before = time.process_time()
    while samples:
        context, progress, requests = samples.pop()  # as in a client, of which few are pending
        context.run(told.begun, progress)
        for name, request in requests:
            context.run(finish, told.send(http, request, name, progress, 1))
        told.polled(progress, "s:sample:0:3", "done", 0.1)
        told.ended(progress, sample, None)
    return (time.process_time() - before) / count


def measure_calls(rounds: int) -> dict[str, float]:
    """The least seconds of each mode, without what a client that does nothing takes."""
    least: dict[str, float] = {}
    for modes in (WITHOUT, WITH):
        if modes is WITH:
            import opentelemetry.trace  # noqa: F401
        found = dict.fromkeys(modes, math.inf)
        told = {mode: teller(mode) for mode in modes}
        for _ in range(rounds):
            for mode in random.sample([*modes], len(modes)):
                with modes[mode]():
                    found[mode] = min(found[mode], *[calls(told[mode], 50) for _ in range(20)])
        nothing_at_all = found.pop(NOTHING)
        least |= {mode: seconds - nothing_at_all for mode, seconds in found.items()}
    return least


def teller(mode: str) -> Telemetry:
    """What a client of this mode counts with."""
    if mode in (NOTHING, BARE):
        return Silent() if mode == NOTHING else Bare()
    told = Telemetry()
    if "observer" in mode:
        told.observe(heard)
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", type=int, help="only the scenario with this number, from 0")
    parser.add_argument("--calls", action="store_true", help="only the calls of a sample, alone")
    arguments = parser.parse_args()
    smoke = arguments.smoke
    rounds = 1 if smoke else arguments.rounds
    if arguments.calls:
        found = [[mode, f"{seconds * 1e6:.1f}"] for mode, seconds in measure_calls(rounds).items()]
        print(table(found, ["calls of a sample", "µs"]))
        return
    counts = (10, 1, 1) if smoke else (200, 20, 2)
    scenarios: dict[str, tuple[int, int, Callable[[str, str], Work]]] = {
        "a sample": (64, counts[0], lambda url, mode: samples(url, mode, counts[0])),
        "a step of 8x512": (512, counts[1], lambda url, mode: steps(url, mode, counts[1], 8, 512)),
        "a step of 128x4096": (4096, counts[2], lambda url, mode: steps(url, mode, counts[2], 128, 4096)),
    }  # fmt: skip
    if arguments.only is not None:
        scenarios = dict([list(scenarios.items())[arguments.only]])
    rows: dict[str, list[str]] = {}
    with server(Path(sys.executable)) as url, services:
        for modes in (WITHOUT, WITH):
            if modes is WITH:
                import opentelemetry.trace  # noqa: F401
            for tokens, count, work in scenarios.values():
                httpx.post(f"{url}/bench/knobs", json={"tokens": tokens})
                for mode, ratio in measure(modes, partial(work, url), rounds).items():
                    shown = f"{ratio / count * 1e6:.0f} µs" if mode == NOTHING else f"{ratio:.3f}"
                    rows.setdefault(mode, []).append(shown)
    rows[NOTHING] = rows[NOTHING][: len(scenarios)]
    print(table([[mode, *row] for mode, row in rows.items()], ["CPU, 1 is a client without", *scenarios]))  # fmt: skip


if __name__ == "__main__":
    main()
