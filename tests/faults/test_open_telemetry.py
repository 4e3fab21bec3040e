"""Spans and metrics, read back from OpenTelemetry's own in-memory exporters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from opentelemetry import context, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode

import tinker
import tinker_contract
from tests.support.sampling_server import SamplingServer
from tests.support.scripted_server import Answer, ScriptedServer
from tinker._protocol import telemetry as client_telemetry

STEP = {"type": "optim_step", "metrics": {"x:sum": 1.0}}
PAUSED = {"type": "try_again", "queue_state": "paused_capacity", "queue_state_reason": "no room"}

STEP_SUBMITTED_TWICE: list[Answer] = [
    (503, {"detail": "busy"}),
    (200, {"request_id": "s:train:0:1"}),
]

pytestmark = pytest.mark.usefixtures("short_pauses")


@frozen
class Telemetry:
    spans: InMemorySpanExporter
    metrics: InMemoryMetricReader
    tracer: trace.Tracer

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    def read(self) -> dict[str, list[Any]]:
        """The points of each metric."""
        data = self.metrics.get_metrics_data()
        assert data is not None
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[Any]:
        return self.read().get(name, [])


@contextmanager
def set_up(monkeypatch: pytest.MonkeyPatch, sampler: Sampler = DEFAULT_ON) -> Iterator[Telemetry]:
    """As in a program that has set up both providers; they are global, and so put in place for one test."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(sampler), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracers)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: meters)
    monkeypatch.setattr(client_telemetry, "_tracing", None)
    client_telemetry.open_telemetry()
    yield Telemetry(spans, reader, tracers.get_tracer("program"))
    meters.shutdown()
    tracers.shutdown()


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    with set_up(monkeypatch) as made:
        yield made


@pytest.fixture
def histograms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    monkeypatch.setenv("TINKER_OTEL_HISTOGRAMS", "1")
    with set_up(monkeypatch) as made:
        yield made


Counts = dict[tuple[str, ...], float]


def counts(points: list[Any]) -> Counts:
    """The values of a counter of this process, by the values of its attributes."""
    return {tuple(map(str, point.attributes.values())): point.value for point in points}


def since(before: Counts, now: Counts) -> Counts:
    """What was counted meanwhile, without heartbeats and what clients of other tests do at their end."""
    grown = {key: value - before.get(key, 0) for key, value in now.items()}
    others = {"finish_session", "session_heartbeat"}
    return {key: value for key, value in grown.items() if value and others.isdisjoint(key)}


def traceparent(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def test_an_operation_is_a_span_in_the_callers_and_its_requests_are_in_it(
    telemetry: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    telemetry.spans.clear()
    server.script(
        optim_step=[*STEP_SUBMITTED_TWICE],
        retrieve_future=[(200, PAUSED), (200, STEP)],
    )
    with telemetry.tracer.start_as_current_span("my loop"):
        future = training.optim_step(tinker.AdamParams())
    future.result(timeout=10)
    (mine,) = telemetry.named("my loop")
    (operation,) = telemetry.named("tinker.optim_step")
    assert operation.parent == mine.context
    assert operation.kind is SpanKind.INTERNAL
    assert dict(operation.attributes or {}) == {
        "tinker.operation": "optim_step",
        "tinker.model_id": "s:train:0",
        "tinker.seq_id": 1,
        "tinker.chunks": 1,
        "tinker.request_id": "s:train:0:1",
        "tinker.polls": 2,
        "tinker.queue_state": "active",
    }
    assert [event.attributes for event in operation.events] == [
        {"tinker.queue_state": "paused_capacity"}, {"tinker.queue_state": "active"},
    ]  # fmt: skip
    first, second = telemetry.named("POST optim_step")
    assert first.parent == second.parent == operation.context
    assert first.kind is SpanKind.CLIENT
    place = {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": int(server.url.rpartition(":")[2]),
        "tinker.operation": "optim_step",
        "url.full": f"{server.url}/api/v1/optim_step",
    }
    failed = {"http.response.status_code": 503, "error.type": "503"}
    assert dict(first.attributes or {}) == {**place, **failed}
    assert first.status.status_code is StatusCode.ERROR
    again = {"http.response.status_code": 200, "http.request.resend_count": 1}
    assert dict(second.attributes or {}) == {**place, **again}
    sent = [one["headers"]["traceparent"] for one in server.seen["optim_step"]]
    assert sent == [traceparent(first), traceparent(second)]


def test_what_serves_all_operations_belongs_to_none(
    telemetry: Telemetry, server: ScriptedServer
) -> None:
    with SamplingServer(feed=True) as sampling, telemetry.tracer.start_as_current_span("mine"):
        params = tinker.SamplingParams(max_tokens=1)
        sampling.sampler().sample(tinker.ModelInput.from_ints([1]), 1, params).result(timeout=10)
    polls = telemetry.named("POST retrieve_futures")
    assert polls
    assert all(poll.parent is None for poll in polls)


def test_a_sample_follows_the_genai_conventions_and_has_no_text(telemetry: Telemetry) -> None:
    params = tinker.SamplingParams(max_tokens=5, temperature=0.5, seed=3, stop=["a secret word"])
    with SamplingServer() as server:
        sampler = server.sampler(base_model="some/model")
        prompt = tinker.ModelInput.from_ints([987_001, 987_002, 987_003])
        sample = sampler.sample(prompt, 1, params).result(timeout=10)
    assert sample.sequences[0].tokens == prompt.to_ints()  # as this server samples
    (span,) = telemetry.named("text_completion some/model")
    assert span.kind is SpanKind.CLIENT
    about = dict(span.attributes or {})
    assert {name: value for name, value in about.items() if name.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "tinker",
        "gen_ai.request.model": "some/model",
        "gen_ai.request.choice.count": 1,
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.top_k": -1,
        "gen_ai.request.seed": 3,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ("stop",),
    }
    data = telemetry.metrics.get_metrics_data()
    assert data is not None
    for told in (data.to_json(), *(one.to_json() for one in telemetry.spans.get_finished_spans())):
        assert "secret" not in told
        assert not re.search(r"\b98700[123]\b", told)


def test_metrics_are_the_counters_of_all_clients(
    telemetry: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        optim_step=[*STEP_SUBMITTED_TWICE],
        retrieve_future=[(200, {"error": "of tml-secret", "category": "server"})],
    )
    names = (
        "operations", "requests", "request.size", "response.size", "retries", "polls", "waited",
        "operation.time", "request.time",
    )  # fmt: skip
    earlier = telemetry.read()
    with pytest.raises(tinker.RequestFailedError):
        training.optim_step(tinker.AdamParams()).result(timeout=10)
    now = telemetry.read()
    found = {
        name: since(*(counts(read.get(f"tinker.client.{name}", [])) for read in (earlier, now)))
        for name in names
    }
    assert found["operations"] == {("optim_step", "failed"): 1}
    assert found["operation.time"] == {}  # of those that are done
    assert found["requests"] == {
        ("optim_step", "done"): 1,
        ("optim_step", "failed"): 1,
        ("retrieve_future", "done"): 1,
    }
    sent = [int(one["headers"]["content-length"]) for one in server.seen["optim_step"]]
    assert found["request.size"][("optim_step",)] == sum(sent)
    assert found["response.size"][("optim_step",)] == len(b'{"detail": "busy"}{"request_id": "s:train:0:1"}')  # fmt: skip
    assert found["retries"] == {("optim_step", "503"): 1}
    assert found["polls"] == {(): 1}
    assert ("retry",) in found["waited"]
    assert found["request.time"].keys() == {("optim_step",), ("retrieve_future",)}
    assert all(value > 0 for value in found["request.time"].values())
    assert telemetry.points("http.client.request.duration") == []  # is not asked for


def test_no_span_or_metric_has_a_key_or_the_text_of_an_error(
    histograms: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(retrieve_future=[(200, {"error": "of tml-secret", "category": "server"})])
    with pytest.raises(tinker.RequestFailedError):
        training.optim_step(tinker.AdamParams()).result(timeout=10)
    (span,) = histograms.named("tinker.optim_step")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "RequestFailedError"
    data = histograms.metrics.get_metrics_data()
    assert data is not None
    for told in (
        data.to_json(),
        *(span.to_json() for span in histograms.spans.get_finished_spans()),
    ):
        assert "tml-" not in told


def test_tokens_are_counted_by_model(telemetry: Telemetry) -> None:
    with SamplingServer() as server:
        sampler = server.sampler(base_model="some/model")
        params = tinker.SamplingParams(max_tokens=5)
        prompt = tinker.ModelInput.from_ints([7, 8, 9])
        for sample in [sampler.sample(prompt, 1, params) for _ in range(2)]:
            sample.result(timeout=10)
    tokens = {
        (point.attributes["gen_ai.request.model"], point.attributes["gen_ai.token.type"]): point.value
        for point in telemetry.points("tinker.client.tokens")
    }  # fmt: skip
    assert tokens == {("some/model", "input"): 6, ("some/model", "output"): 6}


def test_histograms_follow_the_conventions_if_they_are_asked_for(
    histograms: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        optim_step=[*STEP_SUBMITTED_TWICE],
        retrieve_future=[(200, {"error": "no memory", "category": "server"})],
    )
    with pytest.raises(tinker.RequestFailedError):
        training.optim_step(tinker.AdamParams()).result(timeout=10)
    with SamplingServer() as sampling:
        sampler = sampling.sampler(base_model="some/model")
        params = tinker.SamplingParams(max_tokens=5)
        sampler.sample(tinker.ModelInput.from_ints([7, 8, 9]), 1, params).result(timeout=10)
    requests = {
        point.attributes["http.response.status_code"]: (point.count, dict(point.attributes))
        for point in histograms.points("http.client.request.duration")
        if point.attributes["tinker.operation"] == "optim_step"
    }
    place = {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": int(server.url.rpartition(":")[2]),
        "tinker.operation": "optim_step",
    }
    failed = {"http.response.status_code": 503, "error.type": "503"}
    assert requests == {
        200: (1, {**place, "http.response.status_code": 200}),
        503: (1, {**place, **failed}),
    }
    (ended,) = [
        point
        for point in histograms.points("tinker.client.operation.duration")
        if point.attributes["tinker.operation"] == "optim_step"
    ]
    assert (ended.count, ended.attributes["error.type"]) == (1, "RequestFailedError")
    (sample,) = histograms.points("gen_ai.client.operation.duration")
    assert (sample.count, dict(sample.attributes)) == (
        1,
        {
            "gen_ai.operation.name": "text_completion",
            "gen_ai.provider.name": "tinker",
            "gen_ai.request.model": "some/model",
        },
    )
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in histograms.points("gen_ai.client.token.usage")
    }
    assert tokens == {"input": 3, "output": 3}


def test_an_operation_that_is_not_sampled_has_no_spans_and_tells_the_server_so(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(retrieve_future=[(200, STEP)])
    with set_up(monkeypatch, ALWAYS_OFF) as telemetry:
        before = counts(telemetry.points("tinker.client.operations"))
        training.optim_step(tinker.AdamParams()).result(timeout=10)
        now = counts(telemetry.points("tinker.client.operations"))
    assert telemetry.spans.get_finished_spans() == ()
    assert since(before, now) == {("optim_step", "done"): 1}
    sent, polled = server.seen["optim_step"][-1], server.seen["retrieve_future"][-1]
    _, _, _, flags = sent["headers"]["traceparent"].split("-")
    assert int(flags, 16) & trace.TraceFlags.SAMPLED == 0
    assert polled["headers"]["traceparent"] == sent["headers"]["traceparent"]


def test_each_header_is_of_http_or_of_the_contract(
    telemetry: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(retrieve_future=[(200, STEP)])
    training.optim_step(tinker.AdamParams()).result(timeout=10)
    contract = json.loads((Path(tinker_contract.__file__).parent / "openapi.json").read_bytes())
    known = set(re.findall(r"`([a-z]+)`", contract["info"]["description"]))
    known |= {one["name"].lower() for one in contract["components"]["parameters"].values()}
    known |= {contract["components"]["securitySchemes"]["apiKey"]["name"].lower()}
    known |= {"host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"}  # fmt: skip
    sent = {
        name.lower() for seen in server.seen.values() for one in seen for name in one["headers"]
    }
    assert "traceparent" in sent
    assert sent <= known


def test_a_trace_state_is_passed_on(
    telemetry: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    state = trace.TraceState([("vendor", "value")])
    given = trace.SpanContext(0xABC, 0xDEF, True, trace.TraceFlags(1), state)
    server.script(retrieve_future=[(200, STEP)])
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(given)))
    try:
        training.optim_step(tinker.AdamParams()).result(timeout=10)
    finally:
        context.detach(token)
    (span,) = telemetry.named("POST optim_step")
    (request,) = server.seen["optim_step"]
    assert request["headers"]["traceparent"] == traceparent(span)
    assert request["headers"]["tracestate"] == "vendor=value"


def test_the_trace_of_a_caller_is_passed_on_without_a_provider(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    """A service that only passes on what it was sent, with the API alone."""
    given = trace.SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=trace.TraceFlags(1))
    server.script(retrieve_future=[(200, STEP)])
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(given)))
    try:
        training.optim_step(tinker.AdamParams()).result(timeout=10)
    finally:
        context.detach(token)
    (request,) = server.seen["optim_step"]
    assert request["headers"]["traceparent"] == f"00-{0xABC:032x}-{0xDEF:016x}-01"


def test_without_a_provider_nothing_is_sent(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(retrieve_future=[(200, STEP)])
    training.optim_step(tinker.AdamParams()).result(timeout=10)
    (request,) = server.seen["optim_step"]
    assert "traceparent" not in request["headers"]


def test_a_program_that_does_not_use_it_does_not_import_it(server: ScriptedServer) -> None:
    script = (
        f"import sys, tinker; s = tinker.ServiceClient(base_url={server.url!r});"
        "s.create_lora_training_client('m').result(); s.close().result();"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"
