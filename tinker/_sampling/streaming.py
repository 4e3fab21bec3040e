"""Samples token by token by `stream_sample`; as a whole on servers without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import ExitStack, aclosing
from typing import Any

import httpx
from attrs import evolve

from tinker import _log, types
from tinker._codec.media_types import EVENT_STREAM
from tinker._http.sse import SSEDecoder
from tinker._protocol import loop, retry
from tinker._protocol.connection import Stream
from tinker._protocol.failures import hide_credentials
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE
from tinker._sampling.sampler import NO_QUEUE, SDK, Sampler
from tinker.errors import (
    APIConnectionError,
    APIResponseValidationError,
    RequestErrorCategory,
    RequestFailedError,
    TinkerError,
)
from tinker.tokenizers import IncrementalDecoder, Tokenizer
from tinker_api import models
from tinker_api.api.sampling import stream_sample
from tinker_api.models import StreamSampleEvent

Events = AsyncGenerator[list[StreamSampleEvent], None]
"""All items that have arrived, in groups."""


async def stream(
    sampler: Sampler,
    request: models.SampleRequest,
    prompt: types.ModelInput,
    tokenizer: Callable[[], Tokenizer],
    progress: Progress,
) -> Events:
    """The events of a request. When the reader stops, the sample is cancelled."""
    text = _TextOfTokens(tokenizer)
    telemetry = sampler.session.telemetry
    error: BaseException | None = None
    telemetry.begun(progress)
    try:
        async with aclosing(_stream(sampler, request, prompt, text, progress)) as pieces:
            async for events in pieces:
                yield events
    except GeneratorExit:
        error = asyncio.CancelledError()
        raise
    except BaseException as reason:
        error = reason
        raise
    finally:
        telemetry.ended(progress, None, error)


async def _stream(
    sampler: Sampler,
    request: models.SampleRequest,
    prompt: types.ModelInput,
    text: _TextOfTokens,
    progress: Progress,
) -> Events:
    with ExitStack() as waiting:
        waiting.enter_context(sampler.session.watched(progress))
        await sampler.prepare()
        progress.doing = "waiting for other samples of the client to end"
        async with sampler.in_flight:
            response = await _open(sampler, request, prompt, progress)
            if response is None:
                whole = await sampler.sample_in_flight(request, prompt, progress)
                _remember_that_there_is_no_stream(sampler)
                yield await text.complete(_events_of(whole))
                return
            async with aclosing(_read(response, request.num_samples, progress)) as pieces:
                async for events in pieces:
                    waiting.close()  # from here on, the reader may be the slow one
                    yield await text.complete(events)


async def _open(
    sampler: Sampler, request: models.SampleRequest, prompt: types.ModelInput, progress: Progress
) -> Stream[StreamSampleEvent] | None:
    """The response, whose body is still to come; None if the server does not stream."""
    if not sampler.session.traits.streams_samples:
        return None
    connection = sampler.session.connection

    def call(body: models.SampleRequest) -> Coroutine[Any, Any, Stream[StreamSampleEvent]]:
        return connection.stream(
            stream_sample.request(body=body, x_tinker_sampling_backpressure=NO_QUEUE, **SDK),
            progress,
            policy=retry.PERSISTENT,
            passed=(402, 429, *REFUSALS_OF_A_ROUTE),
        )

    response = await sampler.send(call, request, prompt, progress)
    if response.status_code in REFUSALS_OF_A_ROUTE:
        return None
    if EVENT_STREAM not in response.headers.get("content-type", ""):
        await response.raw.aread()
        raise connection.failures.unexpected(response.raw, progress, None)
    hide_credentials(response.raw.request)  # for exceptions that are raised from here on
    progress.doing = "waiting for tokens"
    return response


def _remember_that_there_is_no_stream(sampler: Sampler) -> None:
    traits = sampler.session.traits
    if traits.streams_samples:
        traits.streams_samples = False
        _log.NO_STREAM(server=sampler.session.settings.base_url)


async def _read(
    response: Stream[StreamSampleEvent], num_samples: int, progress: Progress
) -> Events:
    """The events of a response, until each sample has ended."""
    decoder, unfinished, tokens = SSEDecoder(), set(range(num_samples)), 0
    try:
        async for piece in response.raw.aiter_bytes():
            events, failure = [], None
            for sent in decoder.feed(piece):
                event = _parse(response, sent.data)
                if event is None or event.error is not None:
                    failure = _failure(response.raw, sent.data, event, tokens, progress)
                    break
                events.append(event)
                tokens += event.token_id is not None
                if event.finish_reason is not None:
                    unfinished.discard(event.index or 0)
                    if not unfinished:
                        break
            if events:
                yield events
            if failure is not None:
                raise failure
            if not unfinished:
                return
        why = "the server ended it"
    except httpx.RequestError as reason:
        why = str(reason) or type(reason).__name__
    finally:
        await response.raw.aclose()
    raise APIConnectionError(
        response.raw.request,
        f"{progress.name()}: the stream broke after {tokens} tokens, before the sample was complete: {why}. "
        "A stream cannot be resumed: sample again.",
    )


def _parse(response: Stream[StreamSampleEvent], data: str) -> StreamSampleEvent | None:
    """Parse an event; None if its data does not match the contract."""
    try:
        event = response.parse(data.encode())
    except (ValueError, AttributeError, TypeError):
        return None
    return event if event.index is not None else evolve(event, index=0)


def _failure(
    response: httpx.Response,
    data: str,
    event: StreamSampleEvent | None,
    tokens: int,
    progress: Progress,
) -> TinkerError:
    if event is None:
        shown = data if len(data) <= 100 else data[:100] + "…"
        text = f"{progress.name()}: the stream sent an invalid event: {shown!r}."
        return APIResponseValidationError(response, data, text)
    return RequestFailedError(
        f"{progress.name()} failed after {tokens} tokens: {event.error}",
        "",  # a stream has no category
        RequestErrorCategory.Unknown,
    )


def _events_of(whole: types.SampleResponse) -> list[StreamSampleEvent]:
    """A finished sample as events."""
    events = []
    for index, sequence in enumerate(whole.sequences):
        logprobs: Sequence[float | None] = sequence.logprobs or [None] * len(sequence.tokens)
        events += [
            StreamSampleEvent(index=index, token_id=token_id, logprob=logprob)
            for token_id, logprob in zip(sequence.tokens, logprobs, strict=True)
        ]
        events.append(
            StreamSampleEvent(
                index=index, finish_reason=sequence.stop_reason, total_tokens=len(sequence.tokens)
            )
        )
    return events


class _TextOfTokens:
    """Adds the text to events of servers that send only token ids."""

    def __init__(self, tokenizer: Callable[[], Tokenizer]) -> None:
        self._get_tokenizer = tokenizer
        self._tokenizer: Tokenizer | None = None
        self._samples: dict[int, IncrementalDecoder] = {}
        self._is_unknown = False

    async def complete(self, events: list[StreamSampleEvent]) -> list[StreamSampleEvent]:
        needs_text = any(
            e.token is None and (e.token_id is not None or (e.index or 0) in self._samples)
            for e in events
        )
        if self._is_unknown or not needs_text:
            return events
        if self._tokenizer is None:
            try:
                self._tokenizer = await loop.in_thread(self._get_tokenizer)
            except (TinkerError, ImportError, OSError, ValueError) as reason:
                _log.NO_TEXT(error=reason)
                self._is_unknown = True
                return events
        return [evolve(event, token=self._text(self._tokenizer, event)) for event in events]

    def _text(self, tokenizer: Tokenizer, event: StreamSampleEvent) -> str | None:
        decoder = self._samples.setdefault(event.index or 0, IncrementalDecoder(tokenizer))
        text = event.token
        if event.token_id is not None and text is None:
            text = decoder.push(event.token_id)
        if event.finish_reason is not None:
            text = (text or "") + decoder.finish() or None
        return text
