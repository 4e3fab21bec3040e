"""`SamplingClient`: one sampler."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from attrs import asdict, evolve, frozen

from tinker import _log, types
from tinker._codec import json as json_codec
from tinker._compat.client_futures import BackcompatClientFuture
from tinker._compat.deprecated import awaited, submitted
from tinker._compat.holder import HasHolder
from tinker._http.credentials import without_credentials
from tinker._protocol import arguments
from tinker._protocol.joining import join
from tinker._protocol.progress import Progress
from tinker._protocol.session import Session, describe
from tinker._sampling import checks, on_server
from tinker._sampling.options import SampleOptions
from tinker._sampling.sampler import Sampler
from tinker.errors import TinkerError
from tinker.futures import APIFuture, SampleFuture
from tinker.retry_config import RetryConfig
from tinker_api import models

if TYPE_CHECKING:
    from tinker.sample_stream import SampleStream
    from tinker.tokenizers import Tokenizer

QUEUE_LOG_INTERVAL = 60.0
"""Seconds between log lines about a paused queue."""


class SamplingClient(HasHolder):
    """Samples from a base model or from saved weights.

    Made by `ServiceClient.create_sampling_client`,
    `TrainingClient.save_weights_and_get_sampling_client` and their siblings. Thousands of samples may be
    in flight; they are sent as fast as the server accepts them.

    It can be pickled, copied, inherited by fork, and made again from `get_sampler_handle()` in any process.
    Each such clone numbers its samples on its own, keeps the session alive, and leaves its end to the process
    that opened it. Credentials are not in a pickle or a handle: each process has its own.
    """

    def __init__(
        self,
        holder: Session,
        *,
        sampling_session_id: str,
        base_model: str | None,
        shadow: bool = False,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> None:
        self.session = holder
        self.sampling_session_id = sampling_session_id
        self._base_model = base_model
        self._retry_config = retry_config
        self._record_stability_info = record_stability_info
        self._sampler = Sampler(holder, sampling_session_id, retry_config, is_clone=shadow)
        self._queue_state: tuple[str, str | None] = ("active", None)
        self._queue_logged = float("-inf")
        self._tokenizer: Tokenizer | None = None

    def __repr__(self) -> str:
        return describe(self, getattr(self, "sampling_session_id", ""))

    @classmethod
    def create(
        cls,
        holder: Session,
        *,
        model_path: str | None = None,
        base_model: str | None = None,
        sampling_session_id: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> APIFuture[SamplingClient]:
        """A client for a base model, a checkpoint, or an existing sampler.

        `model_path` and `base_model` together are the checkpoint at that base model's context length;
        `base_model` with `sampling_session_id` is the sampler's base model, if it is known.
        """
        if sampling_session_id is not None and model_path is not None:
            raise ValueError("Give either model_path or sampling_session_id.")
        if sampling_session_id is None and model_path is None and base_model is None:
            raise ValueError("Give model_path, base_model or both.")
        if base_model is not None and (not isinstance(base_model, str) or not base_model):
            raise ValueError(f"base_model is {base_model!r}; it must be a non-empty string.")
        if model_path is not None:
            arguments.check_tinker_path(model_path)
        progress = Progress("create_sampling_session", {"model": model_path or base_model or ""})

        async def create() -> SamplingClient:
            with holder.watched(progress):
                session_id = await holder.id()
                sampler_id = sampling_session_id
                if sampler_id is None:
                    request = models.CreateSamplingSessionRequest(
                        session_id=session_id,
                        sampling_session_seq_id=next(holder.sampler_numbers),
                        base_model=base_model,
                        model_path=model_path,
                    )
                    sampler_id = await on_server.create(holder, request, progress)
                name = base_model or await on_server.base_model(
                    holder, sampler_id, model_path or ""
                )
            return cls(
                holder,
                sampling_session_id=sampler_id,
                base_model=name,
                retry_config=retry_config,
                record_stability_info=record_stability_info,
            )

        return APIFuture.start(create(), progress, session=holder)

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
            prompt: The input of the model.
            num_samples: Completions to make.
            sampling_params: How to sample.
            include_prompt_logprobs: Also return the log-probability of each token of the prompt.
            topk_prompt_logprobs: Also return the k most likely tokens at each position of the prompt.
            topk_sample_logprobs: Also return the k most likely tokens at each position of the samples.
            target_prompt_logprobs: Also score these tokens at each position of the prompt: int64,
                shape [len(prompt) - 1, K], -1 for no token.
            prompt_alt_tokens_k: Also draw k tokens at each position of the prompt except the first, independently and
                at the temperature of `sampling_params`.
            prompt_logprobs_last_n: Score only the last n positions of the prompt, also by
                `topk_prompt_logprobs`; with `include_prompt_logprobs`.

        The last four are newer than some servers, and sent only when asked for.
        """
        options = SampleOptions(
            include_prompt_logprobs,
            topk_prompt_logprobs,
            topk_sample_logprobs,
            target_prompt_logprobs,
            prompt_alt_tokens_k,
            prompt_logprobs_last_n,
        )
        ask, progress = self._asking(prompt, num_samples, sampling_params, options)
        return SampleFuture.start(ask(), progress, session=self.session)

    def _asking(
        self,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
        options: SampleOptions,
    ) -> tuple[Callable[[], Coroutine[Any, Any, types.SampleResponse]], Progress]:
        """Check the arguments of `sample`, and return the function that runs it."""
        checks.check_sample(prompt, num_samples, sampling_params)
        options.check(prompt)
        progress = self._begin("asample", prompt, num_samples, sampling_params)
        request = options.added_to(self._request(prompt, num_samples, sampling_params))
        return partial(self._in_this_process().sample, request, prompt, progress), progress

    def sample_stream(
        self,
        prompt: types.ModelInput,
        sampling_params: types.SamplingParams,
        num_samples: int = 1,
    ) -> SampleStream:
        """Complete a prompt, token by token.

            for event in client.sample_stream(prompt, SamplingParams(max_tokens=100)):
                print(event.token or "", end="")

        From a server that does not stream, all tokens come when the sample is complete.

        Args:
            prompt: The input of the model.
            sampling_params: How to sample.
            num_samples: Completions to make; the `index` of an event is the one it belongs to.
        """
        from tinker._sampling.streaming import stream  # noqa: PLC0415  # few need it
        from tinker.sample_stream import SampleStream  # noqa: PLC0415

        checks.check_sample(prompt, num_samples, sampling_params)
        progress = self._begin("stream_sample", prompt, num_samples, sampling_params)
        request = self._request(prompt, num_samples, sampling_params)
        sampler = self._in_this_process()
        events = stream(sampler, request, prompt, self.get_tokenizer, progress)
        return SampleStream(events, progress, self.session)

    def _begin(
        self,
        operation: str,
        prompt: types.ModelInput,
        num_samples: int,
        sampling_params: types.SamplingParams,
    ) -> Progress:
        return Progress(
            operation,
            {"sampling_session_id": self.sampling_session_id},
            on_queue_state=self._tell_queue_state,
            model=self._base_model or "",
            prompt_length=partial(checks.length_of, prompt),
            attributes=lambda: {
                "gen_ai.request.choice.count": num_samples,
                "gen_ai.request.max_tokens": sampling_params.max_tokens,
                "gen_ai.request.temperature": sampling_params.temperature,
                "gen_ai.request.top_p": sampling_params.top_p,
                "gen_ai.request.top_k": sampling_params.top_k,
                "gen_ai.request.seed": sampling_params.seed,
            },
        )

    def _request(
        self, prompt: types.ModelInput, num_samples: int, sampling_params: types.SamplingParams
    ) -> models.SampleRequest:
        return models.SampleRequest(
            sampling_session_id=self.sampling_session_id,
            prompt=json_codec.model_input(prompt),
            sampling_params=_sendable(sampling_params),
            num_samples=num_samples,
            prompt_logprobs=False,  # some servers require it
            record_stability_info=self._record_stability_info or None,
        )

    def compute_logprobs(
        self, prompt: types.ModelInput, prompt_logprobs_last_n: int | None = None
    ) -> APIFuture[list[float | None]]:
        """The log-probability of each token of a prompt; None for the first.

        Args:
            prompt: What to score.
            prompt_logprobs_last_n: Score only the last n tokens; the others are None.
        """
        options = SampleOptions(True, prompt_logprobs_last_n=prompt_logprobs_last_n)
        ask, progress = self._asking(prompt, 1, types.SamplingParams(max_tokens=1), options)

        async def logprobs() -> list[float | None]:
            response = await ask()
            if response.prompt_logprobs is None:
                raise ValueError("The server has returned no prompt_logprobs.")
            return response.prompt_logprobs

        return SampleFuture.start(logprobs(), progress, session=self.session)

    def get_tokenizer(self) -> Tokenizer:
        """The tokenizer of the base model."""
        if self._tokenizer is None:
            from tinker.tokenizers import get_tokenizer  # noqa: PLC0415

            self._tokenizer = get_tokenizer(self._tokenizer_id() or self.get_base_model())
        return self._tokenizer

    def _tokenizer_id(self) -> str | None:
        """The tokenizer that the server names, asked once for each base model of a session."""
        known = self.holder.tokenizer_ids
        if self._base_model not in known:
            progress = Progress("get_sampler", {"sampler_id": self.sampling_session_id})
            asked = on_server.tokenizer_id(self.holder, self.sampling_session_id, progress)
            known[self._base_model] = APIFuture.start(asked, progress, session=self.holder).result()
        return known[self._base_model]

    def get_base_model(self) -> str:
        """The base model's name."""
        if self._base_model is None:
            raise ValueError(
                f"{self.session.settings.base_url} does not report the base model of "
                f"{self.sampling_session_id}."
            )
        return self._base_model

    # ---- the server's queue -----------------------------------------------------------------

    def on_queue_state_change(self, queue_state: str, queue_state_reason: str | None) -> None:
        """Called when the state of the server's queue changes; logs a pause, at most once a minute.

        Override it in a subclass, or assign a function to it. It is called on the library's own thread: it must
        not wait. A completions feed does not report the queue.

        Args:
            queue_state: `active`, `paused_capacity`, `paused_rate_limit`, or another value of a newer server.
            queue_state_reason: What the queue waits for, if the server reports it.
        """
        now = time.monotonic()
        if queue_state == "active" or now - self._queue_logged < QUEUE_LOG_INTERVAL:
            return
        self._queue_logged = now
        reason = queue_state_reason or _QUEUE_REASONS.get(queue_state, queue_state)
        _log.SAMPLING_PAUSED(sampling_session_id=self.sampling_session_id, reason=reason)

    def _tell_queue_state(self, state: str, reason: str | None) -> None:
        if (state, reason) == self._queue_state:
            return  # many samples report the same state
        self._queue_state = state, reason
        try:
            self.on_queue_state_change(state, reason)
        except Exception:  # noqa: BLE001  # the caller's, not ours
            _log.QUEUE_CALLBACK_FAILED(sampling_session_id=self.sampling_session_id, exc_info=True)

    # ---- in other processes -----------------------------------------------------------------

    def get_sampler_handle(self) -> str:
        """A string from which any process can make clients of the same sampler.

        It holds no credentials: see `from_sampler_handle`.
        """
        return base64.urlsafe_b64encode(orjson.dumps(asdict(self._handle()))).decode()

    @staticmethod
    def from_sampler_handle(handle: str, *, api_key: str | None = None) -> SamplingClient:
        """A client of the sampler behind a handle. Nothing is sent yet.

        Args:
            handle: From `get_sampler_handle`.
            api_key: The credential; default that of this process, as for `ServiceClient`.

        Raises:
            ValueError: It is not a handle.
            TinkerError: No credential was found.
        """
        try:
            found = _SamplerHandle(**orjson.loads(base64.urlsafe_b64decode(handle)))
        except (ValueError, TypeError, binascii.Error):
            raise ValueError(
                "handle is invalid: it must be what get_sampler_handle() has returned."
            ) from None
        return found.client(api_key, None)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (self._handle(), self._retry_config)

    def _handle(self) -> _SamplerHandle:
        session_id = self.session.known_id
        if session_id is None:
            raise TinkerError("The session is not open yet: wait for the client to be created.")
        return _SamplerHandle(
            base_url=self.session.settings.base_url,
            headers=without_credentials(self.session.headers),
            session_id=session_id,
            sampling_session_id=self.sampling_session_id,
            base_model=self._base_model,
            record_stability_info=self._record_stability_info,
        )

    def _in_this_process(self) -> Sampler:
        """The sampler. In a forked process, the client becomes a clone of the parent's."""
        if not self.session.is_of_this_process:
            handle, settings = self._handle(), self.session.settings
            session = join(
                handle.session_id, settings.base_url, settings.api_key, self.session.headers
            )
            self._sampler = Sampler(
                session, self.sampling_session_id, self._retry_config, is_clone=True
            )
            self.session = session
        return self._sampler

    def get_telemetry(self) -> None:
        """None: this client records nothing about how it is used. The official SDK returns its recorder."""

    # ---- older names ------------------------------------------------------------------------

    sample_async = awaited(sample)
    compute_logprobs_async = awaited(compute_logprobs)
    get_base_model_async = submitted(get_base_model)


@frozen(kw_only=True)
class _SamplerHandle:
    """The address of a sampler for other processes. Without credentials."""

    base_url: str
    headers: Mapping[str, str]
    session_id: str
    sampling_session_id: str
    base_model: str | None
    record_stability_info: bool = False

    def client(self, api_key: str | None, retry_config: RetryConfig | None) -> SamplingClient:
        return SamplingClient(
            join(self.session_id, self.base_url, api_key, self.headers),
            sampling_session_id=self.sampling_session_id,
            base_model=self.base_model,
            shadow=True,
            retry_config=retry_config,
            record_stability_info=self.record_stability_info,
        )


def _unpickle(handle: _SamplerHandle, retry_config: RetryConfig | None) -> SamplingClient:
    return handle.client(None, retry_config)


_QUEUE_REASONS = {
    "paused_rate_limit": "the limit of samplers in use at once is reached",
    "paused_capacity": "the server is out of capacity",
}


def _sendable(params: types.SamplingParams) -> types.SamplingParams:
    """The same parameters in the format that all servers accept: some reject a single stop string."""
    stop = params.stop
    if stop is None:
        return params
    texts_or_tokens: Any = [stop] if isinstance(stop, str) else list(stop)
    return evolve(params, stop=texts_or_tokens)


class BackcompatSamplingClientFuture(BackcompatClientFuture[SamplingClient], SamplingClient):
    """The future of a `SamplingClient`."""

    def __reduce__(self) -> tuple[Any, ...]:
        return self.result().__reduce__()
