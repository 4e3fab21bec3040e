"""Passes what happens in one session on to its counters, the log, observers, and OpenTelemetry.

The counters always run. Events are made only while there is an observer, spans only in a program that has imported OpenTelemetry.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from tinker import _log, events
from tinker._protocol import recorder
from tinker._protocol.progress import Progress

if TYPE_CHECKING:
    from tinker._protocol import otel


SECONDS = "tinker_seconds"
"""Extension of a response: how long it took."""

_tracing: otel.Telemetry | None = None


def open_telemetry() -> otel.Telemetry | None:
    """OpenTelemetry, if this program has imported its API."""
    global _tracing  # noqa: PLW0603
    if _tracing is None and (
        "opentelemetry.trace" in sys.modules or "opentelemetry.metrics" in sys.modules
    ):
        from tinker._protocol import otel  # noqa: PLC0415  # needs the API

        _tracing = otel.Telemetry()
    return _tracing


class Telemetry:
    """Used on the library's event loop, apart from `observe`."""

    def __init__(self) -> None:
        self.recorder = recorder.Recorder()
        recorder.keep(self.recorder, self)
        self._observers: tuple[events.Observer, ...] = ()
        self._reported: set[int] = set()

    def observe(self, observer: events.Observer) -> Callable[[], None]:
        """Tell `observer` every event from now on, until the returned function is called. From any thread."""
        if not callable(observer):
            raise TypeError(f"observer is {observer!r}; it must be a function of one event.")
        if inspect.iscoroutinefunction(observer):
            raise TypeError(
                f"observer is {observer!r}; it must not be a coroutine function: nothing would await it."
            )
        place: tuple[events.Observer, ...] = (observer,)
        self._observers += place

        def stop() -> None:
            nonlocal place
            kept = list(self._observers)
            for one in place:
                kept.remove(one)
                self._reported.discard(id(one))
            self._observers, place = tuple(kept), ()

        return stop

    def _tell(self, event: events.Event) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except Exception:  # noqa: BLE001  # the observer's, not ours
                if id(observer) not in self._reported:
                    self._reported.add(id(observer))
                    _log.OBSERVER_FAILED(observer=observer, exc_info=True)

    # ---- operations -------------------------------------------------------------------------

    def begun(self, progress: Progress) -> None:
        """An operation begins. In the context in which it will run: its span becomes the current one."""
        self.recorder.under_way += 1
        if (tracing := open_telemetry()) is not None:
            tracing.begin_operation(progress)
        progress.is_untraced = progress.span is None and not progress.trace_headers

    def ended(self, progress: Progress, value: object, error: BaseException | None) -> None:
        """It has ended; called before anybody who waits for it goes on."""
        seconds = progress.waited
        outcome: recorder.Outcome = "done"
        if error is not None:
            outcome = "cancelled" if isinstance(error, asyncio.CancelledError) else "failed"
        self.recorder.operation(progress.operation, seconds, outcome)
        if (tracing := open_telemetry()) is not None:
            tracing.end_operation(progress, seconds, value, error)
        progress.span = progress.attributes = progress.prompt_length = None  # some hold a prompt
        if _log.OPERATION_ENDED.is_on:
            _log.OPERATION_ENDED(operation=progress.name(), outcome=outcome, seconds=seconds)
        if self._observers:
            self._tell(
                events.Result(
                    progress.operation,
                    dict(progress.ids),
                    tuple(progress.seq_ids),
                    tuple(progress.request_ids),
                    value,
                    error,
                    seconds,
                )
            )

    # ---- requests ---------------------------------------------------------------------------

    async def send(
        self,
        http: httpx.AsyncClient,
        request: httpx.Request,
        operation: str,
        progress: Progress,
        attempt: int,
        *,
        stream: bool = False,
    ) -> httpx.Response:
        """Send a request once; of a stream, the headers alone have arrived.

        Args:
            http: Sends it.
            request: What to send.
            operation: Its operationId.
            progress: The operation that it serves.
            attempt: Which attempt it is, from 1.
            stream: Whether its response is one.
        """
        tracing = open_telemetry()
        span = None
        if tracing is not None and not progress.is_untraced:
            span = tracing.begin_request(request, operation, attempt, progress)
        response: httpx.Response | None = None
        failure: BaseException | None = None
        began = time.perf_counter()
        try:
            response = await http.send(request, stream=stream)
            if stream and not response.is_success:
                await response.aread()
            return response
        except BaseException as error:
            failure = error
            raise
        finally:
            seconds = time.perf_counter() - began
            if tracing is not None and (span is not None or tracing.histograms is not None):
                tracing.end_request(span, request, operation, seconds, response, failure)
            status, sent, received = None, len(request.content), 0
            if response is not None:
                response.extensions[SECONDS] = seconds
                status = response.status_code
                if response.is_closed:  # otherwise it is a stream, which is still to come
                    received = len(response.content)
            if not isinstance(failure, asyncio.CancelledError):
                self.recorder.request(operation, seconds, status, sent, received)
                if self._observers or _log.REQUEST.is_on:
                    error_name = None if failure is None else type(failure).__name__
                    self._attempted(
                        events.Request(
                            operation,
                            progress.operation,
                            dict(progress.ids),
                            attempt,
                            status,
                            error_name,
                            seconds,
                            sent,
                            received,
                        ),
                        progress,
                    )

    def _attempted(self, event: events.Request, progress: Progress) -> None:
        if _log.REQUEST.is_on:
            _log.REQUEST(
                operation=event.operation,
                purpose=progress.name(),
                attempt=event.attempt,
                status=event.status or event.error,
                seconds=event.seconds,
                bytes_sent=event.bytes_sent,
                bytes_received=event.bytes_received,
            )
        self._tell(event)

    def retrying(
        self,
        operation: str,
        progress: Progress,
        attempt: int,
        cause: str,
        pause: float,
        error: Exception | None = None,
    ) -> None:
        """A request is sent again after a pause; `cause` is a status code or a phrase."""
        self.recorder.retries[operation, cause] += 1
        if self._observers:
            self._tell(
                events.Retry(
                    operation, progress.operation, dict(progress.ids), attempt, cause, error, pause
                )
            )

    async def pause(self, seconds: float, cause: str) -> None:
        """Wait before the next attempt."""
        began = time.perf_counter()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.waited(time.perf_counter() - began, cause)

    def waited(self, seconds: float, cause: str) -> None:
        """Before another attempt was made, because of a status or for another cause."""
        kind: recorder.Cause = (
            "rate_limit" if cause == "429" else "billing" if cause == "402" else "retry"
        )
        self.recorder.waited(kind, seconds)

    # ---- polls ------------------------------------------------------------------------------

    def polled(
        self, progress: Progress, request_id: str, state: events.PollState, seconds: float
    ) -> None:
        """Record a poll; `progress` already has the state of the queue."""
        self.recorder.polls += 1
        if state == "pending" and progress.queue_state != "active":
            self.recorder.waited_in_queue(progress.queue_state, seconds)
        if _log.POLL.is_on:
            _log.POLL(
                operation=progress.name(),
                state=state,
                seconds=seconds,
                request_id=request_id,
                queue_state=progress.queue_state,
            )
        if self._observers:
            self._tell(
                events.Poll(
                    progress.operation,
                    dict(progress.ids),
                    request_id,
                    state,
                    progress.queue_state,
                    progress.queue_reason,
                    seconds,
                )
            )

    def queued(self, progress: Progress) -> None:
        """The state of the queue has changed."""
        state, reason = progress.queue_state, progress.queue_reason
        if _log.QUEUE_STATE.is_on:
            _log.QUEUE_STATE(operation=progress.name(), state=state, reason=reason)
        if progress.span is not None:
            progress.span.add_event("tinker.queue_state", {"tinker.queue_state": state})
        if self._observers:
            self._tell(events.QueueState(progress.operation, dict(progress.ids), state, reason))
