"""Spans and metrics, read back from OpenTelemetry's own in-memory exporters."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen
from opentelemetry import context, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import tinker
from tests.support.sampling_server import SamplingServer
from tests.support.scripted_server import ScriptedServer
from tinker._protocol import otel

STEP = {"type": "optim_step", "metrics": {"x:sum": 1.0}}
PAUSED = {"type": "try_again", "queue_state": "paused_capacity", "queue_state_reason": "no room"}

pytestmark = pytest.mark.usefixtures("short_pauses")


@frozen
class Telemetry:
    spans: InMemorySpanExporter
    metrics: InMemoryMetricReader
    tracer: trace.Tracer

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    def points(self, name: str) -> list[Any]:
        data = self.metrics.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    """As in a program that has set up both providers; they are global, and so put in place for one test."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracers)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: meters)
    monkeypatch.setattr(otel, "_made", None)
    yield Telemetry(spans, reader, tracers.get_tracer("program"))
    meters.shutdown()
    tracers.shutdown()


def traceparent(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def test_an_operation_is_a_span_in_the_callers_and_its_requests_are_in_it(
    telemetry: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    telemetry.spans.clear()
    server.script(
        optim_step=[(503, {"detail": "busy"}), (200, {"request_id": "s:train:0:1"})],
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
        sampler.sample(tinker.ModelInput.from_ints([7, 8, 9]), 1, params).result(timeout=10)
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
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in telemetry.points("gen_ai.client.token.usage")
    }
    assert tokens == {"input": 3, "output": 3}
    (duration,) = telemetry.points("gen_ai.client.operation.duration")
    assert (duration.count, duration.attributes["gen_ai.request.model"]) == (1, "some/model")
    everything = json.dumps([span.to_json() for span in telemetry.spans.get_finished_spans()])
    assert "secret" not in everything


def test_metrics_count_requests_retries_and_failures(
    telemetry: Telemetry, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        optim_step=[(503, {"detail": "busy"}), (200, {"request_id": "s:train:0:1"})],
        retrieve_future=[(200, {"error": "of tml-secret", "category": "server"})],
    )
    with pytest.raises(tinker.RequestFailedError):
        training.optim_step(tinker.AdamParams()).result(timeout=10)
    (span,) = telemetry.named("tinker.optim_step")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "RequestFailedError"
    found = {
        (point.attributes["tinker.operation"], point.attributes["http.response.status_code"]): point.count
        for point in telemetry.points("http.client.request.duration")
    }  # fmt: skip
    assert found["optim_step", 503] == found["optim_step", 200] == 1
    retries = {
        (point.attributes["tinker.operation"], point.attributes["tinker.retry.cause"]): point.value
        for point in telemetry.points("tinker.client.retries")
    }
    assert retries["optim_step", "503"] == 1
    (ended,) = [
        point
        for point in telemetry.points("tinker.client.operation.duration")
        if point.attributes["tinker.operation"] == "optim_step"
    ]
    assert ended.attributes["error.type"] == "RequestFailedError"
    # The key, which requests carry, and the server's words, which may repeat a prompt, are nowhere.
    spans = json.dumps([span.to_json() for span in telemetry.spans.get_finished_spans()])
    data = telemetry.metrics.get_metrics_data()
    assert data is None or "tml-secret" not in data.to_json()
    assert "tml-secret" not in spans


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
