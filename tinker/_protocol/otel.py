"""Spans and metrics of OpenTelemetry, by its API alone. Imported only in a program that has imported that API.

Spans of requests follow the HTTP client conventions, samples the GenAI conventions; training has names of its own,
`tinker.…`. No attribute has a credential, a prompt, a completion or the text of an error.

To cost little, nothing but a name is given to a span that is not recorded, and metrics are read from the counters of
`client.stats()` when they are exported. The histograms of the conventions cost their SDK 6 to 9 µs a value, so they are
recorded only if the environment asks for them. docs/logging-and-traces.md lists it all.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache, partial
from urllib.parse import urlsplit

import httpx
from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from tinker._http.http1 import TRACE
from tinker._protocol import recorder
from tinker._protocol.progress import Headers, Progress
from tinker._protocol.recorder import Recorder
from tinker._version import SDK_VERSION

Attributes = dict[str, AttributeValue]

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_TOKENS = tuple(4.0**exponent for exponent in range(14))
_IDS = {
    "session_id": "tinker.session_id",
    "model_id": "tinker.model_id",
    "sampling_session_id": "tinker.sampling_session_id",
    "base_model": "tinker.base_model",
}


class Telemetry:
    """Makes the spans and offers the metrics, for all clients of this process.

    The API's own tracers and meters do nothing until the program sets up a provider.
    """

    def __init__(self) -> None:
        self._tracer = trace.get_tracer_provider().get_tracer("tinker", SDK_VERSION)
        meter = metrics.get_meter_provider().get_meter("tinker", SDK_VERSION)
        self._tokens: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        """Of the input and of the output, by model."""
        self.histograms = Histograms(meter) if os.environ.get("TINKER_OTEL_HISTOGRAMS") else None
        for name, unit, what, read in _COUNTERS:
            read_total = partial(_observe, read)
            meter.create_observable_counter(name, [read_total], unit, what)
        meter.create_observable_counter(
            "tinker.client.tokens", [self._observe_tokens], "{token}", "Tokens of finished samples."
        )
        meter.create_observable_up_down_counter(
            "tinker.client.operations.active",
            [partial(_observe, lambda total: [(total.under_way, {})])],
            "{operation}",
            "Operations that have not ended.",
        )

    def _observe_tokens(self, _: CallbackOptions) -> Iterable[Observation]:
        for model, counts in tuple(self._tokens.items()):
            for kind, count in zip(("input", "output"), counts, strict=True):
                yield Observation(count, {**_sample(model)[1], "gen_ai.token.type": kind})

    # ---- operations -------------------------------------------------------------------------

    def begin_operation(self, progress: Progress) -> None:
        """Start the span of an operation, and make it the current one of this context."""
        if progress.model is None:
            name, attributes = _operation(progress.operation)
            span = self._tracer.start_span(name, attributes=attributes)
        else:
            name, attributes = _sample(progress.model)
            span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        if span.is_recording():
            progress.span = span
        elif not (headers := _headers(span)):
            return  # nobody traces
        else:
            progress.trace_headers = headers
        context.attach(trace.set_span_in_context(span))

    def end_operation(
        self, progress: Progress, seconds: float, value: object, error: BaseException | None
    ) -> None:
        """Count the tokens of an operation, and end its span."""
        sequences, output, prompt = None, 0, -1
        if progress.model is not None and (sequences := getattr(value, "sequences", None)):
            for one in sequences:
                output += len(one.tokens_np)
            if progress.prompt_length is not None:
                prompt = progress.prompt_length()
            tokens = self._tokens[progress.model]
            tokens[0] += max(prompt, 0)
            tokens[1] += output
        if progress.span is None and self.histograms is None:
            return
        used = {"output": output} if sequences else {}
        if prompt >= 0:
            used["input"] = prompt
        about: Attributes = {} if error is None else {"error.type": type(error).__name__}
        if self.histograms is not None:
            self.histograms.operation(progress, seconds, used, about)
        if progress.span is not None:
            if sequences:
                about["gen_ai.response.finish_reasons"] = [str(s.stop_reason) for s in sequences]
            for kind, count in used.items():
                about[f"gen_ai.usage.{kind}_tokens"] = count
            _describe(progress, about)
            progress.span.set_attributes(about)
            if error is not None:
                progress.span.set_status(trace.StatusCode.ERROR)
            progress.span.end()

    # ---- requests ---------------------------------------------------------------------------

    def begin_request(
        self, request: httpx.Request, operation: str, attempt: int, progress: Progress
    ) -> trace.Span | None:
        """Start the span of one attempt, and name it in the request's headers; None if it is not recorded."""
        if progress.trace_headers:
            request.extensions[TRACE] = progress.trace_headers
            return None
        name, attributes = _request(operation, request.method, str(request.url))
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        request.extensions[TRACE] = _headers(span)
        if not span.is_recording():
            return None
        if attempt > 1:
            span.set_attribute("http.request.resend_count", attempt - 1)
        return span

    def end_request(
        self,
        span: trace.Span | None,
        request: httpx.Request,
        operation: str,
        seconds: float,
        response: httpx.Response | None,
        failure: BaseException | None,
    ) -> None:
        """End the span of an attempt, and record how long it took."""
        error = type(failure).__name__ if response is None else None
        about: Attributes = {}
        if response is not None:
            about["http.response.status_code"] = status = response.status_code
            error = str(status) if status >= 400 else None
        if error is not None:
            about["error.type"] = error
        if self.histograms is not None:
            place = dict(_request(operation, request.method, str(request.url))[1])
            del place["url.full"]
            self.histograms.requests.record(seconds, place | about)
        if span is not None:
            for name, value in about.items():  # faster than all at once
                span.set_attribute(name, value)
            if error is not None:
                span.set_status(trace.StatusCode.ERROR)
            span.end()


class Histograms:
    """The histograms that the conventions ask for."""

    def __init__(self, meter: metrics.Meter) -> None:
        seconds = partial(
            meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=_DURATIONS
        )
        self.requests = seconds(
            "http.client.request.duration", description="Duration of HTTP client requests."
        )
        self._samples = seconds(
            "gen_ai.client.operation.duration", description="GenAI operation duration."
        )
        self._operations = seconds(
            "tinker.client.operation.duration",
            description="From the call of an operation to its result.",
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def operation(
        self, progress: Progress, seconds: float, used: Mapping[str, int], about: Attributes
    ) -> None:
        """Record an operation that has ended, and the tokens it used by their type."""
        if progress.model is None:
            self._operations.record(seconds, {**_operation(progress.operation)[1], **about})
            return
        sample = _sample(progress.model)[1]
        self._samples.record(seconds, {**sample, **about})
        for kind, count in used.items():
            self._tokens.record(count, {**sample, "gen_ai.token.type": kind})


# ---- what all spans of a kind have in common ------------------------------------------------


@cache
def _operation(name: str) -> tuple[str, Attributes]:
    return f"tinker.{name}", {"tinker.operation": name}


@cache
def _sample(model: str) -> tuple[str, Attributes]:
    operation = "text_completion"
    attributes: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "tinker",
    }
    if model:
        attributes["gen_ai.request.model"] = model
    return f"{operation} {model}".rstrip(), attributes


@lru_cache(1024)
def _request(operation: str, method: str, url: str) -> tuple[str, Attributes]:
    place = urlsplit(url)
    return f"{method} {operation}", {
        "http.request.method": method,
        "server.address": place.hostname or "",
        "server.port": place.port or (443 if place.scheme == "https" else 80),
        "url.full": url.partition("?")[0],
        "tinker.operation": operation,
    }


def _headers(span: trace.Span) -> Headers:
    """The headers of W3C trace context, as `TraceContextTextMapPropagator` makes them, which takes thrice the time."""
    current = span.get_span_context()
    if not current.is_valid:
        return ()
    parent = b"00-%032x-%016x-%02x" % (current.trace_id, current.span_id, current.trace_flags)
    if not (state := current.trace_state):
        return ((b"traceparent", parent),)
    return (b"traceparent", parent), (b"tracestate", state.to_header().encode())


def _describe(progress: Progress, about: Attributes) -> None:
    """Add what a recorded span says of its operation."""
    for name, value in progress.ids.items():
        if name in _IDS:
            about[_IDS[name]] = value
    if progress.model is not None:
        about["tinker.operation"] = progress.operation
    about["tinker.polls"] = progress.polls
    about["tinker.queue_state"] = progress.queue_state
    if progress.seq_ids:
        about["tinker.seq_id"] = progress.seq_ids[0]
        about["tinker.chunks"] = len(progress.seq_ids)
    if len(progress.request_ids) == 1:
        about["tinker.request_id"] = progress.request_ids[0]
    if progress.attributes is not None:
        about |= {name: value for name, value in progress.attributes().items() if value is not None}


# ---- metrics that are read when they are exported -------------------------------------------


Observed = Iterable[tuple[float, Attributes]]


def _observe(read: Callable[[Recorder], Observed], _: CallbackOptions) -> Iterable[Observation]:
    for value, attributes in read(recorder.total()):
        yield Observation(value, attributes)


def _operations(total: Recorder) -> Observed:
    for name, one in total.operations.items():
        about = _operation(name)[1]
        for outcome, count in (
            ("done", one.durations.count), ("failed", one.failed), ("cancelled", one.cancelled),
        ):  # fmt: skip
            yield count, {**about, "tinker.outcome": outcome}


def _requests(total: Recorder) -> Observed:
    for name, one in total.requests.items():
        about = _operation(name)[1]
        yield one.attempts - one.failed, {**about, "tinker.outcome": "done"}
        yield one.failed, {**about, "tinker.outcome": "failed"}


_COUNTERS: tuple[tuple[str, str, str, Callable[[Recorder], Observed]], ...] = (
    ("tinker.client.operations", "{operation}", "Operations that have ended.", _operations),
    (
        "tinker.client.operation.time", "s", "From the calls of operations that are done to their results.",
        lambda total: [(one.durations.total, _operation(name)[1]) for name, one in total.operations.items()],
    ),
    ("tinker.client.requests", "{request}", "Requests, each attempt for itself.", _requests),
    (
        "tinker.client.request.time", "s", "From requests to their responses.",
        lambda total: [(one.durations.total, _operation(name)[1]) for name, one in total.requests.items()],
    ),
    (
        "tinker.client.request.size", "By", "Bodies of requests.",
        lambda total: [(one.bytes_sent, _operation(name)[1]) for name, one in total.requests.items()],
    ),
    (
        "tinker.client.response.size", "By", "Bodies of responses, decompressed; without those of streams.",
        lambda total: [(one.bytes_received, _operation(name)[1]) for name, one in total.requests.items()],
    ),
    (
        "tinker.client.retries", "{retry}", "Requests that were sent again.",
        lambda total: [
            (count, {"tinker.operation": operation, "tinker.retry.cause": cause})
            for (operation, cause), count in total.retries.items()
        ],
    ),
    (
        "tinker.client.polls", "{poll}", "Responses to polls for results.",
        lambda total: [(total.polls, {})],
    ),
    (
        "tinker.client.waited", "s", "Time waited for another reason than a response. Requests that wait side by side add up.",
        lambda total: [
            (seconds, {"tinker.wait.cause": cause}) for cause, seconds in total.waiting.items() if cause != "server"
        ],
    ),
)  # fmt: skip
