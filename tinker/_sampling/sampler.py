"""Per-process sampling client: numbering, sending, waiting for results, retrying."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeVar

import httpx
import numpy as np
from attrs import evolve

from tinker import _log, types
from tinker._codec import json as json_codec, protobuf
from tinker._codec.media_types import PROTOBUF, is_protobuf
from tinker._codec.sizes import size_of
from tinker._protocol import retry
from tinker._protocol.completions_feed import CompletionsFeed
from tinker._protocol.connection import Stream, sdk_headers
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE
from tinker._protocol.session import Session
from tinker._sampling.checks import length_of, missing
from tinker.errors import APIStatusError, TinkerError
from tinker.retry_config import RetryConfig
from tinker_api import models
from tinker_api.api.sampling import asample, join_sampling_session
from tinker_api.models import StreamSampleEvent, UntypedAPIFuture
from tinker_api.types import Response

R = TypeVar("R", Response[UntypedAPIFuture], Stream[StreamSampleEvent])

CLONE_BLOCK = 10**9
"""The seq_ids of a clone begin at its id times this, so that no two clients use the same."""

NO_QUEUE = "1"
"""Value of X-Tinker-Sampling-Backpressure that asks the server to return 429 instead of queueing."""
SDK = sdk_headers("SamplingClient.sample")


class Sampler:
    """A sampler, for one client. Created in any thread, used only on the library's event loop.

    Args:
        session: The session.
        sampler_id: Id of the sampler.
        retry_config: How persistently to retry.
        is_clone: Whether another client of the sampler numbers its samples from 0.
    """

    def __init__(
        self,
        session: Session,
        sampler_id: str,
        retry_config: RetryConfig | None,
        *,
        is_clone: bool,
    ) -> None:
        self.session = session
        self.sampler_id = sampler_id
        self._retry = retry_config or RetryConfig()
        self._clone_id: int | None = None if is_clone else 0
        self._seq_ids: Iterator[int] | None = None
        self._preparing = asyncio.Lock()
        self.in_flight = asyncio.Semaphore(sys.maxsize)
        """Limit on samples in flight, from the first request to the result."""
        self._polling = asyncio.Semaphore(sys.maxsize)
        """Limit on samples that are polled for one by one, each on its own connection."""
        self._feed: CompletionsFeed | None = None
        self._last_progress = 0.0
        self._watched: set[asyncio.Timeout] = set()
        """Of the samples that end when none of them has for too long."""
        self._alarm: asyncio.TimerHandle | None = None

    async def prepare(self) -> None:
        """Learn the server's limits and which numbers to use; sends requests on first use."""
        if self._seq_ids is not None:
            return
        async with self._preparing:
            if self._seq_ids is not None:
                return
            await self.session.id()
            if self._clone_id is None:
                self._clone_id = await self._join()
            self._apply(self.session.config)
            self._seq_ids = itertools.count(CLONE_BLOCK * self._clone_id)

    async def _join(self) -> int:
        """A unique id of this clone: from the server, if it provides ids, else random."""
        if self.session.config.sample_join_sampling_session:
            response = await self.session.connection.call(
                join_sampling_session.request(
                    body=models.JoinSamplingSessionRequest(sampling_session_id=self.sampler_id)
                ),
                progress := Progress(
                    "join_sampling_session", {"sampling_session_id": self.sampler_id}
                ),
                passed=REFUSALS_OF_A_ROUTE,
            )
            if response.status_code < 300:
                return self.session.connection.parse(response, progress).client_counter
        return secrets.randbelow(CLONE_BLOCK) + 1  # not `random`: forked processes share its state

    def _apply(self, config: models.ClientConfigResponse) -> None:
        """Apply the server's settings, unless the caller has set others."""
        assert self._clone_id is not None
        most = max(config.sample_max_concurrent_requests, 1)
        self._polling = asyncio.Semaphore(most)
        limit = self._retry.max_connections
        if config.sample_use_retrieve_futures:
            self._feed = CompletionsFeed(self.session.connection, self.sampler_id, self._clone_id)
            self.session.feeds.add(self._feed)
            most = sys.maxsize
        if limit == RetryConfig.max_connections:
            limit = most
        self.in_flight = asyncio.Semaphore(sys.maxsize if limit is None else limit)

    # ---- one sample -------------------------------------------------------------------------

    async def sample(
        self, request: models.SampleRequest, prompt: types.ModelInput, progress: Progress
    ) -> types.SampleResponse:
        """Request a sample until it succeeds, within the limits of the RetryConfig."""
        with self.session.watched(progress):
            await self.prepare()
            progress.doing = "waiting for other samples of the client to end"
            async with self.in_flight:
                return await self.sample_in_flight(request, prompt, progress)

    async def sample_in_flight(
        self, request: models.SampleRequest, prompt: types.ModelInput, progress: Progress
    ) -> types.SampleResponse:
        """As `sample`, for a sample that is already in flight."""
        asked = 0
        tries = self._retry.enable_retry_logic and not self.session.config.sample_no_retries
        retried: tuple[type[Exception], ...] = (APIStatusError, *self._retry.retryable_exceptions)
        self._last_progress = max(self._last_progress, progress.started)
        while True:
            asked += 1
            try:
                return await self._unless_stuck(self._once(request, prompt, progress), progress)
            except retried as error:
                lost = isinstance(error, APIStatusError) and error.status_code == 410
                again = lost or isinstance(error, self._retry.retryable_exceptions)
                if not (again and tries):
                    raise
                pause = self._retry.pause(asked)
                _log.SAMPLE_REPEATED(error=str(error).rstrip("."), pause=pause)
                telemetry, cause = self.session.telemetry, "sample failed"
                telemetry.retrying(progress.operation, progress, asked, cause, pause, error)
                await telemetry.pause(pause, cause)

    async def _once(
        self, request: models.SampleRequest, prompt: types.ModelInput, progress: Progress
    ) -> types.SampleResponse:
        promise = await self._promise(request, prompt, progress)
        try:
            result = await self._result(promise, prompt, request.num_samples, progress)
        except asyncio.CancelledError:
            self.session.cancellations.add(promise.request_id)
            raise
        if names := missing(request, result, prompt):
            raise TinkerError(
                f"{progress.name()}: {self.session.settings.base_url} does not offer "
                f"{' and '.join(names)}: it was requested, but the response lacks it."
            )
        if request.prompt_logprobs_last_n is not None and result.prompt_logprobs_np is not None:
            # Some servers score all positions.
            scores = result.prompt_logprobs_np.copy()
            scores[: -request.prompt_logprobs_last_n] = np.nan
            result = result.model_copy(update={"prompt_logprobs_np": scores})
        return result

    async def _unless_stuck(
        self, sample: Coroutine[Any, Any, types.SampleResponse], progress: Progress
    ) -> types.SampleResponse:
        """Wait for the sample; raise if no sample of the client ends for too long."""
        watched = self.session.config.sample_enable_stuck_detection
        if not (self._retry.enable_stuck_detection and watched):
            return await sample
        try:
            async with asyncio.timeout(None) as until:
                self._watched.add(until)
                self._watch()
                try:
                    return await sample
                finally:
                    self._watched.discard(until)
                    if not until.expired():
                        self._last_progress = time.monotonic()
        except TimeoutError:
            if not until.expired():
                raise
            raise TimeoutError(
                f"No sample of the client has ended for {self._retry.progress_timeout:g} s: "
                f"{progress.describe()}."
            ) from None

    def _watch(self) -> None:
        """Have one timer for all samples in flight."""
        if self._alarm is None:
            due = self._last_progress + self._retry.progress_timeout
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(due - time.monotonic(), self._give_up_if_stuck)

    def _give_up_if_stuck(self) -> None:
        self._alarm = None
        if self._last_progress + self._retry.progress_timeout > time.monotonic():
            if self._watched:
                self._watch()
            return
        for until in self._watched:
            until.reschedule(0.0)

    # ---- sending ----------------------------------------------------------------------------

    async def _promise(
        self, request: models.SampleRequest, prompt: types.ModelInput, progress: Progress
    ) -> UntypedAPIFuture:
        connection, cancellations = self.session.connection, self.session.cancellations

        def call(body: models.SampleRequest) -> Coroutine[Any, Any, Response[UntypedAPIFuture]]:
            sent = asample.request(body=body, x_tinker_sampling_backpressure=NO_QUEUE, **SDK)
            return connection.call(sent, progress, policy=retry.PERSISTENT, passed=(402, 429))

        abandon = cancellations.add_when_promised if cancellations.are_wanted else None
        response = await self.send(call, request, prompt, progress, abandon=abandon)
        return connection.parse(response, progress)

    async def send(
        self,
        call: Callable[[models.SampleRequest], Coroutine[Any, Any, R]],
        request: models.SampleRequest,
        prompt: types.ModelInput,
        progress: Progress,
        *,
        abandon: Callable[[asyncio.Task[R]], None] | None = None,
    ) -> R:
        """Send a request under a new seq_id, and repeat it while the server returns 429 or 402.

        Args:
            call: Sends it once, and passes 402 and 429.
            request: What to send.
            prompt: Its prompt.
            progress: The operation it belongs to.
            abandon: Takes what is being sent when nobody waits for it any more; by default it is cancelled.
        """
        assert self._seq_ids is not None, "it is prepared"
        session = self.session
        seq_id = next(self._seq_ids)
        progress.seq_ids = [seq_id]
        progress.request_ids = []
        numbered = evolve(request, seq_id=seq_id)

        async def once() -> R:
            if abandon is None:
                return await call(numbered)
            sending = asyncio.create_task(call(numbered))
            try:
                return await asyncio.shield(sending)
            except asyncio.CancelledError:
                abandon(sending)
                raise

        response = await session.backpressure.send(once, size_of(prompt), progress)
        if response.status_code == 402:
            raise session.connection.failures.refusal(response.raw, progress)
        return response

    # ---- results ----------------------------------------------------------------------------

    async def _result(
        self,
        promise: models.UntypedAPIFuture,
        prompt: types.ModelInput,
        num_samples: int,
        progress: Progress,
    ) -> types.SampleResponse:
        ids = promise.sample_sequence_ids or [
            f"{promise.request_id}:{number}" for number in range(num_samples)
        ]
        fetching: AbstractAsyncContextManager[None] = self._polling
        size = None
        if self._feed is not None and self._feed.error is None:
            progress.request_ids.append(promise.request_id)
            progress.doing = "waiting for the completions feed to name it"
            completion = await self._feed.wait(promise.request_id)
            progress.request_ids.clear()
            if completion is not None:
                fetching = self._feed.fetching(promise.request_id)
                if isinstance(completion, models.FutureFinished):
                    size = completion.response_payload_uncompressed_size
        async with fetching:
            return await self.session.result(
                promise,
                partial(_decode, prompt=prompt, sequence_ids=ids),
                progress,
                kind="Sample",
                accept=PROTOBUF,
                size=size,
            )


def _decode(
    response: httpx.Response, prompt: types.ModelInput, sequence_ids: Sequence[str]
) -> types.SampleResponse:
    """Decode the samples, in either encoding."""
    if not response.content:
        raise ValueError("the body is empty")
    length = length_of(prompt)
    if is_protobuf(response.headers):
        return protobuf.decode_sample_response(response.content, sequence_ids, length)
    return json_codec.sample_response(response.content, length, sequence_ids)
