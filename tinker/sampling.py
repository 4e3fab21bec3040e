"""`SamplingClient`: one sampler."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import evolve

from tinker import _check, _retry, types
from tinker._batch import PROTOBUF, is_protobuf
from tinker._codec import json as json_codec, protobuf
from tinker._connection import CREATION_TIMEOUT, decode_body, sdk_headers
from tinker._deprecated import awaited, submitted
from tinker._progress import Progress
from tinker._run import result_of
from tinker._session import Session
from tinker._traits import REFUSALS_OF_A_ROUTE
from tinker.errors import APIStatusError, TinkerError
from tinker.futures import APIFuture, SampleFuture
from tinker.retry_config import RetryConfig
from tinker_api import models
from tinker_api.api.models import get_info
from tinker_api.api.sampling import asample, create_sampling_session, get_sampler
from tinker_api.types import Response

if TYPE_CHECKING:
    from tinker.tokenizers import Tokenizer

logger = logging.getLogger("tinker")

_SAMPLE_HEADERS = {
    "X-Tinker-Sampling-Backpressure": "1",  # answer 429 instead of queueing
    **sdk_headers("SamplingClient.sample"),
}


class SamplingClient:
    """Samples from a base model or from saved weights.

    Made by `ServiceClient.create_sampling_client`,
    `TrainingClient.save_weights_and_get_sampling_client` and their siblings. Thousands of samples may be
    in flight at once; they are sent as fast as the server takes them.
    """

    def __init__(
        self,
        holder: Session,
        *,
        sampling_session_id: str,
        base_model: str | None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> None:
        most = holder.config.sample_max_concurrent_requests
        self._retry = retry_config or RetryConfig(max_connections=most)
        limit = self._retry.max_connections
        self._in_flight = asyncio.Semaphore(sys.maxsize if limit is None else limit)
        self._last_progress = 0.0
        self._record_stability_info = record_stability_info
        self.holder = holder
        self.sampling_session_id = sampling_session_id
        self._base_model = base_model
        self._seq_ids = itertools.count()
        self._tokenizer: Tokenizer | None = None

    def __repr__(self) -> str:
        return f"<SamplingClient {self.sampling_session_id} on {self.holder.settings.base_url}>"

    @classmethod
    def create(
        cls,
        holder: Session,
        *,
        model_path: str | None = None,
        base_model: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> APIFuture[SamplingClient]:
        """A client for a checkpoint or a base model; exactly one of the two is given."""
        if (model_path is None) == (base_model is None):
            raise ValueError("Give either model_path or base_model.")
        if model_path is not None:
            _check.check_tinker_path(model_path)
        progress = Progress("create_sampling_session", {"model": model_path or base_model or ""})

        async def create() -> SamplingClient:
            with holder.watched(progress):
                request = models.CreateSamplingSessionRequest(
                    session_id=await holder.id(),
                    sampling_session_seq_id=next(holder.sampler_numbers),
                    base_model=base_model,
                    model_path=model_path,
                )
                sampler_id = await _sampler_id(holder, request, progress)
                name = base_model or await _base_model(holder, sampler_id, model_path or "")
            return cls(
                holder,
                sampling_session_id=sampler_id,
                base_model=name,
                retry_config=retry_config,
                record_stability_info=record_stability_info,
            )

        return APIFuture.start(create(), progress)

    def sample(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
        topk_sample_logprobs: int = 0,
        target_prompt_logprobs: types.TensorData | None = None,
        prompt_alt_tokens_k: int = 0,
        prompt_logprobs_last_n: int | None = None,
    ) -> APIFuture[types.SampleResponse]:
        """Complete a prompt.

        Args:
            prompt: What the model reads.
            num_samples: Completions to make.
            sampling_params: How to sample.
            include_prompt_logprobs: Also return the log-probability of each token of the prompt.
            topk_prompt_logprobs: Also return the k most likely tokens at each place of the prompt.
            topk_sample_logprobs: Also return the k most likely tokens at each place of the samples.
            target_prompt_logprobs: Also score these tokens at each place of the prompt: int64,
                shape [len(prompt) - 1, K], -1 for none.
            prompt_alt_tokens_k: Also return k alternative tokens at each place of the prompt.
            prompt_logprobs_last_n: Score only the last n places of the prompt; with
                `include_prompt_logprobs`.

        The last four are newer than some servers, and sent only when asked for.
        """
        _check.check_sample(prompt, num_samples, sampling_params)
        progress = Progress("asample", {"sampling_session_id": self.sampling_session_id})

        request = models.SampleRequest(
            sampling_session_id=self.sampling_session_id,
            prompt=json_codec.model_input(prompt),
            sampling_params=_sendable(sampling_params),
            num_samples=num_samples,
            prompt_logprobs=include_prompt_logprobs,
            topk_prompt_logprobs=topk_prompt_logprobs,
            topk_sample_logprobs=topk_sample_logprobs or None,
            target_prompt_logprobs=None
            if target_prompt_logprobs is None
            else json_codec.tensor_data(target_prompt_logprobs),
            prompt_alt_tokens_k=prompt_alt_tokens_k or None,
            prompt_logprobs_last_n=prompt_logprobs_last_n,
            record_stability_info=self._record_stability_info or None,
        )

        async def run() -> types.SampleResponse:
            progress.doing = "waiting for other samples of the client to end"
            with self.holder.watched(progress):
                async with self._in_flight:
                    return await self._persistently(request, prompt, progress)

        return SampleFuture.start(run(), progress)

    async def _persistently(
        self, request: models.SampleRequest, prompt: types.ModelInput, progress: Progress
    ) -> types.SampleResponse:
        """Ask for a sample until it is there, as the client's RetryConfig says."""
        asked = 0
        retried: tuple[type[Exception], ...] = (APIStatusError, *self._retry.retryable_exceptions)
        self._last_progress = max(self._last_progress, progress.started)
        while True:
            asked += 1
            try:
                return await self._unless_stuck(self._once(request, prompt, progress), progress)
            except retried as error:
                lost = isinstance(error, APIStatusError) and error.status_code == 410
                again = lost or isinstance(error, self._retry.retryable_exceptions)
                if not (again and self._retry.enable_retry_logic):
                    raise
                pause = self._retry.pause(asked)
                logger.warning("%s; sampling again in %.1f s", str(error).rstrip("."), pause)
                await asyncio.sleep(pause)

    async def _once(
        self, request: models.SampleRequest, prompt: types.ModelInput, progress: Progress
    ) -> types.SampleResponse:
        promise = await self._send(request, progress)
        response = await self._result(promise, prompt, request.num_samples, progress)
        if missing := _missing(request, response, prompt):
            raise TinkerError(
                f"{progress.name()}: {self.holder.settings.base_url} does not offer "
                f"{' and '.join(missing)}: it was asked for, and the answer has none."
            )
        return response

    async def _unless_stuck(
        self, sample: Coroutine[Any, Any, types.SampleResponse], progress: Progress
    ) -> types.SampleResponse:
        """The sample, unless no sample of the client ends for too long."""
        if not self._retry.enable_stuck_detection:
            return await sample
        task = asyncio.create_task(sample)
        try:
            while True:
                left = self._last_progress + self._retry.progress_timeout - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"No sample of the client has ended for {self._retry.progress_timeout:g} s: "
                        f"{progress.describe()}."
                    )
                await asyncio.wait({task}, timeout=left)
                if task.done():
                    self._last_progress = time.monotonic()
                    return task.result()
        finally:
            task.cancel()

    async def _send(
        self, request: models.SampleRequest, progress: Progress
    ) -> models.UntypedAPIFuture:
        """Send a sample under a new seq_id, again and again while the server says "later"."""
        connection, backpressure = self.holder.connection, self.holder.backpressure
        request = evolve(request, seq_id=next(self._seq_ids))
        progress.seq_ids = [request.seq_id or 0]
        progress.request_ids = []
        progress.doing = "waiting for other samples to be sent"
        async with backpressure:
            while True:
                progress.doing = "waiting for the server to take the request"
                response = await connection.call(
                    asample.asyncio_detailed,
                    progress,
                    policy=_retry.PERSISTENT,
                    passed=(429,),
                    body=request,
                    headers=_SAMPLE_HEADERS,
                )
                if response.status_code != 429:
                    backpressure.taken()
                    promise: models.UntypedAPIFuture = connection.parse(response, progress)
                    return promise
                backpressure.pushed_back(response)
                progress.doing = "waiting because the server takes no more samples now (429)"
                await backpressure.pause_is_over()

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
        try:
            return await self.holder.result(
                promise,
                lambda response: _decode(response, prompt, ids),
                progress,
                kind="Sample",
                accept=PROTOBUF,
            )
        except asyncio.CancelledError:
            self.holder.cancel(promise.request_id)
            raise

    def compute_logprobs(
        self, prompt: types.ModelInput, prompt_logprobs_last_n: int | None = None
    ) -> APIFuture[list[float | None]]:
        """The log-probability of each token of a prompt; None for the first.

        Args:
            prompt: What to score.
            prompt_logprobs_last_n: Score only the last n tokens; the others are None.
        """
        sampled = self.sample(
            prompt,
            1,
            types.SamplingParams(max_tokens=1),
            include_prompt_logprobs=True,
            prompt_logprobs_last_n=prompt_logprobs_last_n,
        )

        async def logprobs() -> list[float | None]:
            response = await sampled
            if response.prompt_logprobs is None:
                raise ValueError("The server has returned no prompt_logprobs.")
            return response.prompt_logprobs

        return SampleFuture.start(logprobs(), sampled.progress)

    def get_tokenizer(self) -> Tokenizer:
        """The tokenizer of the base model."""
        if self._tokenizer is None:
            from tinker.tokenizers import get_tokenizer  # noqa: PLC0415

            self._tokenizer = get_tokenizer(self.get_base_model())
        return self._tokenizer

    def get_base_model(self) -> str:
        """The base model's name."""
        if self._base_model is None:
            raise ValueError(
                f"{self.holder.settings.base_url} does not say what the base model of "
                f"{self.sampling_session_id} is."
            )
        return self._base_model

    # ---- older names ------------------------------------------------------------------------

    sample_async = awaited(sample)
    compute_logprobs_async = awaited(compute_logprobs)
    get_base_model_async = submitted(get_base_model)


async def _base_model(session: Session, sampler_id: str, model_path: str) -> str | None:
    """The base model of a sampler, or of the run whose weights it has: not all servers tell both."""
    connection = session.connection
    response = await connection.call(
        get_sampler.asyncio_detailed,
        (progress := Progress("get_sampler", {"sampler_id": sampler_id})),
        sampler_id=sampler_id,
        passed=REFUSALS_OF_A_ROUTE,
    )
    if response.status_code < 300:
        sampler: models.GetSamplerResponse = connection.parse(response, progress)
        return sampler.base_model
    run = urlsplit(model_path).netloc
    try:
        info: models.GetInfoResponse = await connection.fetch(
            get_info.asyncio_detailed,
            Progress("get_info", {"model_id": run}),
            body=models.GetInfoRequest(model_id=run),
        )
    except APIStatusError:
        return None  # needed for the tokenizer alone
    return info.model_data.model_name or info.model_name


async def _sampler_id(
    session: Session, request: models.CreateSamplingSessionRequest, progress: Progress
) -> str:
    """Create a sampler. Some servers answer with a promise of it."""
    connection = session.connection
    endpoint = create_sampling_session.asyncio_detailed
    response = await connection.call(endpoint, progress, body=request, timeout=CREATION_TIMEOUT)
    body = decode_body(response.content)
    if isinstance(body, dict) and "sampling_session_id" not in body and "request_id" in body:
        promise = models.UntypedAPIFuture.from_dict(body)
        decode = result_of(models.CreateSamplingSessionResponse, "create_sampling_session")
        created = await session.result(promise, decode, progress, kind="CreateSamplingSession")
        return created.sampling_session_id
    answer: models.CreateSamplingSessionResponse = connection.parse(response, progress)
    return answer.sampling_session_id


def _decode(
    response: Response[Any], prompt: types.ModelInput, sequence_ids: Sequence[str]
) -> types.SampleResponse:
    """The samples, in whichever encoding they came."""
    length = _length(prompt)
    if is_protobuf(response.headers):
        return protobuf.decode_sample_response(response.content, sequence_ids, length)
    return json_codec.sample_response(response.content, length, sequence_ids)


def _length(prompt: types.ModelInput) -> int:
    """The number of a prompt's tokens; -1 if it has an image that does not say how many it takes."""
    try:
        return prompt.length
    except ValueError:
        return -1


def _missing(
    request: models.SampleRequest, response: types.SampleResponse, prompt: types.ModelInput
) -> list[str]:
    """What was asked for and has not come. Some servers ignore what they do not know."""
    came = {"topk_sample_logprobs": all(s._topk is not None for s in response.sequences)}
    if _length(prompt) != 1:  # else nothing precedes its only token
        came |= {
            "prompt_logprobs": response.prompt_logprobs_np is not None,
            "topk_prompt_logprobs": response._topk is not None,
            "target_prompt_logprobs": response.target_prompt_logprobs is not None,
            "prompt_alt_tokens_k": response.prompt_alt_tokens is not None,
        }
    asked = [name for name in came if getattr(request, name)]
    return [name.removesuffix("_k") for name in asked if not came[name]]


def _sendable(params: types.SamplingParams) -> types.SamplingParams:
    """The same parameters in the form that all servers read: some take no single stop text."""
    return evolve(params, stop=[params.stop]) if isinstance(params.stop, str) else params
