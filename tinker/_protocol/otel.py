"""Spans and metrics of OpenTelemetry, by its API alone. Imported only in a program that has imported that API.

Spans of requests and their metric follow the HTTP client conventions, samples the GenAI conventions; what is of training has
names of its own, `tinker.…`. No attribute has a credential, a prompt, a completion or the text of an error.
docs/logging-and-traces.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from attrs import frozen
from opentelemetry import context, metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from tinker._protocol.progress import Progress
from tinker._version import SDK_VERSION

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_TOKENS = tuple(4.0**exponent for exponent in range(14))
_IDS = {
    "session_id": "tinker.session_id",
    "model_id": "tinker.model_id",
    "sampling_session_id": "tinker.sampling_session_id",
    "base_model": "tinker.base_model",
}
_W3C = TraceContextTextMapPropagator()


@frozen
class OperationSpan:
    """The span of an operation under way."""

    span: trace.Span
    of_sample: dict[str, AttributeValue]
    """Attributes of a sample's metrics; empty for other operations."""
    input_tokens: int | None


class Telemetry:
    """Makes the spans and fills the instruments."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer_provider().get_tracer("tinker", SDK_VERSION)
        meter = metrics.get_meter_provider().get_meter("tinker", SDK_VERSION)

        def seconds(name: str, what: str) -> metrics.Histogram:
            return meter.create_histogram(
                name, "s", what, explicit_bucket_boundaries_advisory=_DURATIONS
            )

        self._known: dict[tuple[str, str, bytes], dict[str, AttributeValue]] = {}
        self._requests = seconds(
            "http.client.request.duration", "Duration of HTTP client requests."
        )
        self._samples = seconds("gen_ai.client.operation.duration", "GenAI operation duration.")
        self._operations = seconds(
            "tinker.client.operation.duration", "From the call of an operation to its result."
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._retries = meter.create_counter(
            "tinker.client.retries", "{retry}", "Requests that were sent again."
        )

    # ---- operations -------------------------------------------------------------------------

    def begin_operation(self, progress: Progress) -> OperationSpan:
        """Start the span of an operation, and make it the current one of this context."""
        attributes: dict[str, AttributeValue] = {"tinker.operation": progress.operation}
        attributes |= {_IDS[name]: value for name, value in progress.ids.items() if name in _IDS}
        if progress.attributes is not None:
            attributes |= _plain(progress.attributes())
        operation = attributes.get("gen_ai.operation.name")
        name = (
            f"{operation} {attributes.get('gen_ai.request.model', '')}".rstrip()
            if operation
            else f"tinker.{progress.operation}"
        )
        kind = trace.SpanKind.CLIENT if operation else trace.SpanKind.INTERNAL
        span = self._tracer.start_span(name, kind=kind, attributes=attributes)
        context.attach(trace.set_span_in_context(span))
        about = {name: attributes[name] for name in _OF_METRICS if name in attributes}
        tokens = attributes.get("gen_ai.usage.input_tokens")
        return OperationSpan(span, about, tokens if isinstance(tokens, int) else None)

    def end_operation(
        self,
        operation: OperationSpan,
        progress: Progress,
        seconds: float,
        value: object,
        error: BaseException | None,
    ) -> None:
        span, of_sample = operation.span, operation.of_sample
        about: dict[str, AttributeValue] = {}
        if error is not None:
            about["error.type"] = type(error).__name__
        if of_sample:
            self._samples.record(seconds, {**of_sample, **about})
        else:
            self._operations.record(seconds, {"tinker.operation": progress.operation, **about})
        sequences = getattr(value, "sequences", None) if of_sample else None
        if sequences is not None:
            tokens = sum(len(one.tokens_np) for one in sequences)
            self._tokens.record(tokens, {**of_sample, "gen_ai.token.type": "output"})
            if operation.input_tokens is not None:
                self._tokens.record(
                    operation.input_tokens, {**of_sample, "gen_ai.token.type": "input"}
                )
            about["gen_ai.usage.output_tokens"] = tokens
            about["gen_ai.response.finish_reasons"] = [str(one.stop_reason) for one in sequences]
        if span.is_recording():
            if progress.seq_ids:
                about["tinker.seq_id"] = progress.seq_ids[0]
                about["tinker.chunks"] = len(progress.seq_ids)
            if len(progress.request_ids) == 1:
                about["tinker.request_id"] = progress.request_ids[0]
            about["tinker.polls"] = progress.polls
            about["tinker.queue_state"] = progress.queue_state
            span.set_attributes(about)
            if error is not None:
                span.set_status(trace.StatusCode.ERROR)
        span.end()

    def queued(self, operation: OperationSpan, state: str) -> None:
        """The queue of an operation has another state."""
        operation.span.add_event("tinker.queue_state", {"tinker.queue_state": state})

    # ---- requests ---------------------------------------------------------------------------

    def begin_request(
        self,
        request: httpx.Request,
        operation: str,
        attempt: int,
        within: OperationSpan | None,
    ) -> trace.Span | None:
        """Start the span of one attempt, and have the request tell the server. None within an operation that is not sampled."""
        span = current = None
        if within is not None and not within.span.is_recording():
            current = within.span
        else:
            attributes = dict(self._about(request, operation))
            attributes["url.full"] = str(request.url).partition("?")[0]
            if attempt > 1:
                attributes["http.request.resend_count"] = attempt - 1
            name, kind = f"{request.method} {operation}", trace.SpanKind.CLIENT
            current = span = self._tracer.start_span(name, kind=kind, attributes=attributes)
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(current))
        request.headers.update(carrier)
        return span

    def _about(self, request: httpx.Request, operation: str) -> Mapping[str, AttributeValue]:
        """What is the same for all requests of an operation."""
        key = operation, request.method, request.url.netloc
        found = self._known.get(key)
        if found is None:
            url = request.url
            found = self._known[key] = {
                "http.request.method": request.method,
                "server.address": url.host,
                "server.port": url.port or (443 if url.scheme == "https" else 80),
                "tinker.operation": operation,
            }
        return found

    def end_request(
        self,
        span: trace.Span | None,
        request: httpx.Request,
        operation: str,
        seconds: float,
        response: httpx.Response | None,
        failure: BaseException | None,
    ) -> None:
        about: dict[str, AttributeValue] = {}
        if response is not None:
            about["http.response.status_code"] = response.status_code
            if response.status_code >= 400:
                about["error.type"] = str(response.status_code)
        elif failure is not None:
            about["error.type"] = type(failure).__name__
        self._requests.record(seconds, {**self._about(request, operation), **about})
        if span is not None:
            if span.is_recording():
                span.set_attributes(about)
                if "error.type" in about:
                    span.set_status(trace.StatusCode.ERROR)
            span.end()

    def count_retry(self, operation: str, cause: str) -> None:
        self._retries.add(1, {"tinker.operation": operation, "tinker.retry.cause": cause})


_OF_METRICS = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model")


def _plain(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    return {name: value for name, value in attributes.items() if value is not None}


_made: Telemetry | None = None


def current() -> Telemetry | None:
    """The telemetry, if there is anybody to read it: a provider of this program, or a span that it works in."""
    global _made  # noqa: PLW0603
    if not (
        _is_set_up(trace.get_tracer_provider())
        or _is_set_up(metrics.get_meter_provider())
        or trace.get_current_span().get_span_context().is_valid
    ):
        return None
    if _made is None:
        _made = Telemetry()
    return _made


def _is_set_up(provider: object) -> bool:
    """Those of the API itself do nothing."""
    return not type(provider).__module__.startswith(
        ("opentelemetry.trace", "opentelemetry.metrics")
    )
