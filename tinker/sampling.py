"""`SamplingClient`: one sampler."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING

from tinker import _check, types
from tinker._codec import json as json_codec
from tinker._connection import sdk_headers
from tinker._progress import Progress
from tinker._session import Session
from tinker.futures import APIFuture
from tinker_api import models
from tinker_api.api.sampling import asample, create_sampling_session, get_sampler

if TYPE_CHECKING:
    from tinker.tokenizers import Tokenizer

logger = logging.getLogger("tinker")


class SamplingClient:
    """Samples from a base model or from saved weights.

    Made by `ServiceClient.create_sampling_client`,
    `TrainingClient.save_weights_and_get_sampling_client` and their siblings. Thousands of samples may be
    in flight at once; they are sent as fast as the server takes them.
    """

    def __init__(self, holder: Session, *, sampling_session_id: str, base_model: str) -> None:
        self.holder = holder
        self.sampling_session_id = sampling_session_id
        self._base_model = base_model
        self._seq_ids = itertools.count()
        self._tokenizer: Tokenizer | None = None

    def __repr__(self) -> str:
        return f"<SamplingClient {self.sampling_session_id} on {self.holder.settings.base_url}>"

    @classmethod
    def create(
        cls, holder: Session, *, model_path: str | None = None, base_model: str | None = None
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
                answer = await holder.connection.fetch(
                    create_sampling_session.asyncio_detailed, progress, body=request
                )
                sampler_id = answer.sampling_session_id
                name = base_model or await _base_model(holder, sampler_id)
            return cls(holder, sampling_session_id=sampler_id, base_model=name)

        return APIFuture.start(create(), progress)

    def sample(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        include_prompt_logprobs: bool = False,
        topk_prompt_logprobs: int = 0,
    ) -> APIFuture[types.SampleResponse]:
        """Complete a prompt.

        Args:
            prompt: What the model reads.
            num_samples: Completions to make.
            sampling_params: How to sample.
            include_prompt_logprobs: Also return the log-probability of each token of the prompt.
            topk_prompt_logprobs: Also return the k most likely tokens at each place of the prompt.
        """
        _check.check_sample(prompt, num_samples, sampling_params)
        seq_id = next(self._seq_ids)
        progress = Progress(
            "asample", {"sampling_session_id": self.sampling_session_id}, seq_ids=[seq_id]
        )

        async def run() -> types.SampleResponse:
            request = models.SampleRequest(
                sampling_session_id=self.sampling_session_id,
                seq_id=seq_id,
                prompt=json_codec.model_input(prompt),
                sampling_params=sampling_params,
                num_samples=num_samples,
                prompt_logprobs=include_prompt_logprobs,
                topk_prompt_logprobs=topk_prompt_logprobs,
            )
            with self.holder.watched(progress):
                promise = await self._send(request, progress)
                ids = promise.sample_sequence_ids or [
                    f"{promise.request_id}:{n}" for n in range(num_samples)
                ]
                return await self.holder.result(
                    promise,
                    lambda response: json_codec.sample_response(
                        response.content, prompt.length, ids
                    ),
                    progress,
                    kind="Sample",
                )

        return APIFuture.start(run(), progress, cancellable=True)

    async def _send(
        self, request: models.SampleRequest, progress: Progress
    ) -> models.UntypedAPIFuture:
        progress.doing = "waiting for other samples to be sent"
        async with self.holder.sample_dispatch:
            progress.doing = "waiting for the server to take the request"
            while True:
                response = await self.holder.connection.call(
                    asample.asyncio_detailed,
                    progress,
                    passed=(429,),
                    body=request,
                    headers={
                        "X-Tinker-Sampling-Backpressure": "1",
                        **sdk_headers("SamplingClient.sample"),
                    },
                )
                if response.status_code != 429:
                    promise: models.UntypedAPIFuture = self.holder.connection.parse(
                        response, progress
                    )
                    return promise
                progress.doing = "waiting because the server asked for a pause (429)"
                await asyncio.sleep(1.0)

    def compute_logprobs(self, prompt: types.ModelInput) -> APIFuture[list[float | None]]:
        """The log-probability of each token of a prompt; None for the first."""
        sampled = self.sample(
            prompt, 1, types.SamplingParams(max_tokens=1), include_prompt_logprobs=True
        )

        async def logprobs() -> list[float | None]:
            response = await sampled
            if response.prompt_logprobs is None:
                raise ValueError("The server has returned no prompt_logprobs.")
            return response.prompt_logprobs

        return APIFuture.start(logprobs(), sampled.progress, cancellable=True)

    def get_tokenizer(self) -> Tokenizer:
        """The tokenizer of the base model."""
        if self._tokenizer is None:
            from tinker.tokenizers import get_tokenizer  # noqa: PLC0415

            self._tokenizer = get_tokenizer(self._base_model)
        return self._tokenizer

    def get_base_model(self) -> str:
        """The base model's name."""
        return self._base_model


async def _base_model(session: Session, sampler_id: str) -> str:
    progress = Progress("get_sampler", {"sampler_id": sampler_id})
    answer: models.GetSamplerResponse = await session.connection.fetch(
        get_sampler.asyncio_detailed, progress, sampler_id=sampler_id
    )
    return answer.base_model
