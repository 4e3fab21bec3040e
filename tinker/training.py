"""`TrainingClient`: one training run."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from attrs import evolve

from tinker import types
from tinker._compat.client_futures import BackcompatClientFuture
from tinker._compat.deprecated import awaited, in_thread, submitted
from tinker._compat.holder import HasHolder
from tinker._passes import Passes
from tinker._protocol import arguments
from tinker._protocol.connection import HELD_TIMEOUT, RESPONSE_TIMEOUT, sdk_headers
from tinker._protocol.progress import Progress
from tinker._protocol.results import result_of
from tinker._protocol.server_traits import documented_path, wants_a_name
from tinker._protocol.session import Session, describe
from tinker._training.queue import RunQueue
from tinker.errors import UnprocessableEntityError
from tinker.futures import APIFuture
from tinker.retry_config import RetryConfig
from tinker.types import _console as console
from tinker_api import models
from tinker_api.api.models import get_info, unload_model
from tinker_api.api.training import optim_step
from tinker_api.api.weights import (
    load_weights,
    save_weights,
    save_weights_external,
    save_weights_for_sampler,
)

if TYPE_CHECKING:
    from tinker._training.journal import Journal
    from tinker.custom_loss import CustomLossFnV1, LossHandle, NumpyLoss
    from tinker.sampling import BackcompatSamplingClientFuture
    from tinker.tokenizers import Tokenizer

_MAX_RECIPIENTS = 10


class _Additions:
    """What the official client does not have. tinker-cookbook instruments each method that `TrainingClient` itself defines,
    and a test of it fails if there is one that it does not know."""

    model_id: str
    _queue: RunQueue

    def unload_model(self) -> APIFuture[types.UnloadModelResponse]:
        """Free the model on the server after the operations submitted so far. Checkpoints stay."""
        return self._queue.unnumbered(
            unload_model.request(
                body=models.UnloadModelRequest(model_id=self.model_id),
                **sdk_headers("TrainingClient.unload_model"),
            ),
            models.UnloadModelResponse,
        )

    def steps(self, count: int) -> Iterator[int]:
        """The steps of a training loop: from 0, or with a journal from the first step that an earlier process has not
        finished.

        A step is finished when the loop has gone on to the next one and the results of its operations, and of those
        before it, have arrived. The calls of an unfinished step are made again: what the server has accepted is not
        submitted again, and its result is read.

        Args:
            count: Number of steps, as of `range`.

        Raises:
            JournalError: The journal has other calls before the loop.
        """
        arguments.check_whole("count", count, least=0)
        return self._queue.steps(count)


class TrainingClient(HasHolder, _Additions):
    """One training run: a base model with an adapter that is trained.

    Methods check their arguments, submit, and return an `APIFuture` at once. Calls take effect in the
    order in which they are made, from any thread; results may be awaited in any order.

    Made by `ServiceClient.create_lora_training_client` and its siblings.
    """

    def __init__(
        self,
        holder: Session,
        model_seq_id: int,
        model_id: str,
        *,
        info: types.GetInfoResponse,
        journal: Journal | None = None,
        next_seq_id: int = 1,
        sampler_numbers: Iterator[int] | None = None,
    ) -> None:
        self.session = holder
        self.model_id = model_id
        self.model_seq_id = model_seq_id
        self._info = info
        self._queue = RunQueue(holder, model_id, first_seq_id=next_seq_id, journal=journal)
        self._passes = Passes(holder, model_id, self._queue)
        self._sampler_numbers = sampler_numbers or holder.sampler_numbers
        self._tokenizer: Tokenizer | None = None

    def __repr__(self) -> str:
        return describe(self, getattr(self, "model_id", ""))

    # ---- training ---------------------------------------------------------------------------

    def forward_backward(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: Mapping[str, float | str] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """Compute a loss and add its gradients to those waiting for `optim_step`.

        Args:
            data: The batch. It is sent in chunks of at most 128 examples, 500,000 tokens and the
                server's byte limit; the outputs come back in the order of `data`.
            loss_fn: `cross_entropy`, `importance_sampling`, `ppo`, `cispo`, `dro`, `gspo`, …
            loss_fn_config: Settings of the loss, such as `{"clip_high_threshold": 1.2}`.

        Returns:
            One output for each datum (`logprobs` has the shape of its `target_tokens`), and metrics
            reduced over the chunks by their suffix. `loss:sum` is the loss, a sum over tokens; `cross_entropy`
            also has `loss:mean`, that sum divided by the sum of the weights, unless a weight is negative. For
            `cross_entropy` without `target_tokens`, each token predicts the next; the last predicts nothing, so
            its weight is 0 and its `logprobs` are NaN.

        Raises:
            ValueError: An argument is wrong; nothing was sent.
        """
        return self._passes.built_in(data, loss_fn, loss_fn_config, backward=True)

    def forward(
        self,
        data: Sequence[types.Datum],
        loss_fn: types.LossFnType,
        loss_fn_config: Mapping[str, float | str] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """Compute a loss without gradients; otherwise as `forward_backward`."""
        return self._passes.built_in(data, loss_fn, loss_fn_config, backward=False)

    def optim_step(
        self,
        optim_params: types.OptimParams | None = None,
        *,
        adam_params: types.AdamParams | None = None,
    ) -> APIFuture[types.OptimStepResponse]:
        """Apply the accumulated gradients and clear them.

        Args:
            optim_params: The optimizer's parameters for this step: `AdamParams`; `DimuonParams` or
                `OptimParamsBase` for a run that was created with another optimizer. None is
                `AdamParams` with its defaults.
            adam_params: The older name of `optim_params`.
        """
        if optim_params is not None and adam_params is not None:
            raise ValueError("optim_step takes optim_params or adam_params, not both.")
        params = optim_params or adam_params or types.AdamParams()
        if isinstance(params, types.AdamParams):
            arguments.check_adam(params)
            body = models.OptimStepRequest(model_id=self.model_id, adam_params=params)
        elif isinstance(params, types.DimuonParams | types.OptimParamsBase):
            body = models.OptimStepRequest(model_id=self.model_id, optimizer_params=params)
        else:
            raise TypeError(f"optim_params is a {type(params).__name__}; it must be AdamParams.")
        return self._queue.one(
            "optim_step",
            optim_step.request,
            body,
            models.OptimStepResponse,
            timeout=RESPONSE_TIMEOUT,
        )

    def forward_backward_custom(
        self,
        data: Sequence[types.Datum],
        loss_fn: CustomLossFnV1 | NumpyLoss | LossHandle,
        *,
        loss_type_input: Literal["logprobs"] | None = None,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """As `forward_backward`, with a custom loss.

        The batch is scored, the function runs on this machine, in a thread, and its gradient goes back; operations
        that are submitted later wait behind both passes.

        Args:
            data: The batch; without `target_tokens`, the targets are the tokens after the first.
            loss_fn: A function of the data and, for each datum, a torch tensor of the log-probabilities of its
                targets, that returns the loss, a tensor of one element, and metrics. Or a `tinker.NumpyLoss`,
                which needs no torch. Or a `LossHandle`, which runs on the server.
            loss_type_input: Always `logprobs`.

        Returns:
            As of `forward_backward`; the metric `loss:sum` is the function's loss, its metrics are added, and
            `surrogate_loss:sum` is the loss whose gradient was taken.

        Raises:
            ValueError: The function's result is not a valid loss. Nothing is trained, and the run goes on.
        """
        if loss_type_input not in (None, "logprobs"):
            raise ValueError(f"loss_type_input is {loss_type_input!r}; it must be 'logprobs'.")
        return self._passes.custom(data, loss_fn)

    # ---- checkpoints ------------------------------------------------------------------------

    def save_state(
        self,
        name: str,
        ttl_seconds: int | None = None,
        overwrite: bool = False,
        user_metadata: dict[str, str] | None = None,
    ) -> APIFuture[types.SaveWeightsResponse]:
        """Save weights and optimizer state under a name, to go on from later.

        Args:
            name: The checkpoint's name, one path segment.
            ttl_seconds: Seconds until it expires; None keeps it.
            overwrite: Replace a checkpoint of that name; otherwise the call fails if there is one.
            user_metadata: Names and values kept with it.
        """
        arguments.check_name(name)
        arguments.check_ttl(ttl_seconds)
        metadata = arguments.metadata(user_metadata)
        return self._queue.one(
            "save_weights",
            save_weights.request,
            models.SaveWeightsRequest(
                model_id=self.model_id,
                path=name,
                ttl_seconds=ttl_seconds,
                overwrite=overwrite,
                user_metadata=metadata,
            ),
            types.SaveWeightsResponse,
        )

    def load_state(
        self, path: str, weights_access_token: str | None = None
    ) -> APIFuture[types.LoadWeightsResponse]:
        """Load the weights of a training checkpoint; with a new optimizer.

        Some servers accept this only as the first operation of a run:
        `ServiceClient.create_training_client_from_state` works on all.
        """
        return self._load(path, weights_access_token, optimizer=False)

    def load_state_with_optimizer(
        self, path: str, weights_access_token: str | None = None
    ) -> APIFuture[types.LoadWeightsResponse]:
        """Load the weights and the optimizer state of a training checkpoint."""
        return self._load(path, weights_access_token, optimizer=True)

    def _load(
        self, path: str, weights_access_token: str | None, *, optimizer: bool
    ) -> APIFuture[types.LoadWeightsResponse]:
        arguments.check_tinker_path(path)
        return self._queue.one(
            "load_weights",
            load_weights.request,
            models.LoadWeightsRequest(
                model_id=self.model_id,
                path=path,
                optimizer=optimizer,
                weights_access_token=weights_access_token,
            ),
            models.LoadWeightsResponse,
        )

    def save_weights_for_sampler(
        self,
        name: str,
        ttl_seconds: int | None = None,
        user_metadata: dict[str, str] | None = None,
    ) -> APIFuture[types.SaveWeightsForSamplerResponse]:
        """Save the weights under a name, to sample from; the result's `path` is the tinker path."""
        arguments.check_name(name)
        arguments.check_ttl(ttl_seconds)
        metadata = arguments.metadata(user_metadata)
        saved = self._queue.one(
            "save_weights_for_sampler",
            save_weights_for_sampler.request,
            models.SaveWeightsForSamplerRequest(
                model_id=self.model_id,
                path=name,
                ttl_seconds=ttl_seconds,
                user_metadata=metadata,
            ),
            types.SaveWeightsForSamplerResponse,
        )

        async def documented() -> types.SaveWeightsForSamplerResponse:
            found = await saved
            return evolve(found, path=documented_path(found.path, "sampler_weights"))

        return APIFuture.start(documented(), saved.progress, session=self.session)

    def save_weights_external(
        self,
        name: str,
        ttl_seconds: int | None = None,
        age_encryption_recipients: list[str] | None = None,
    ) -> APIFuture[types.SaveWeightsExternalResponse]:
        """Save the weights for use elsewhere; `RestClient.download_checkpoint` gets the files.

        Args:
            name: Of the checkpoint, whose tinker path is the result's `path`.
            ttl_seconds: Seconds until it expires; None keeps it.
            age_encryption_recipients: Up to 10 age recipients (`age1…`) to encrypt the files for.
        """
        arguments.check_name(name)
        arguments.check_ttl(ttl_seconds)
        recipients = age_encryption_recipients
        if isinstance(recipients, str):
            raise TypeError("age_encryption_recipients is a str; it must be a list of them.")
        if recipients is not None and not (
            len(recipients) <= _MAX_RECIPIENTS
            and all(isinstance(one, str) and one.startswith("age1") for one in recipients)
        ):
            raise ValueError(
                f"age_encryption_recipients has {len(recipients)} entries; it must have at most "
                f"{_MAX_RECIPIENTS}, each beginning with 'age1'."
            )
        return self._queue.one(
            "save_weights_external",
            save_weights_external.request,
            models.SaveWeightsExternalRequest(
                model_id=self.model_id,
                path=name,
                ttl_seconds=ttl_seconds,
                age_encryption_recipients=recipients,
            ),
            types.SaveWeightsExternalResponse,
        )

    def save_weights_and_get_sampling_client(
        self,
        name: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
        kind: types.SamplingClientKind = "snapshot",
    ) -> BackcompatSamplingClientFuture:
        """A client that samples from the current weights, without saving a named checkpoint.

        Args:
            name: Not used; older callers pass one.
            retry_config: How persistently the client retries.
            record_stability_info: Have the server keep what the loss `stable_reinforce` needs.
            kind: `snapshot` samples from the current weights; `inflight` is for the hosted service.
        """
        from tinker.sampling import (  # noqa: PLC0415  # with numpy
            BackcompatSamplingClientFuture,
            SamplingClient,
        )

        progress = self._queue.progress("save_weights_for_sampler")
        saved = self._save_for_sampler(kind, progress)

        async def client() -> SamplingClient:
            (weights,) = await saved
            if weights.sampling_session_id is None and weights.path is not None:
                return await SamplingClient.create(
                    self.session,
                    model_path=documented_path(weights.path, "sampler_weights"),
                    retry_config=retry_config,
                    record_stability_info=record_stability_info,
                )
            assert weights.sampling_session_id is not None, "a result has one of the two"
            return SamplingClient(
                self.session,
                sampling_session_id=weights.sampling_session_id,
                base_model=self._base_model(),
                retry_config=retry_config,
                record_stability_info=record_stability_info,
            )

        return BackcompatSamplingClientFuture.start(client(), progress, session=self.session)

    def _save_for_sampler(
        self, kind: types.SamplingClientKind, progress: Progress
    ) -> Awaitable[list[models.SaveWeightsForSamplerResponse]]:
        """Save the current weights without a name, or under one where the server needs one."""
        number = next(self._sampler_numbers)
        sdk = sdk_headers("TrainingClient.save_weights_for_sampler")

        async def send(seq_id: int) -> models.UntypedAPIFuture:
            traits = self.session.traits
            body = models.SaveWeightsForSamplerRequest(
                model_id=self.model_id,
                sampling_session_seq_id=number,
                seq_id=seq_id,
                kind=None if kind == "snapshot" else kind,  # newer than some servers
            )
            if traits.saves_without_a_name:
                try:
                    request = save_weights_for_sampler.request(body=body, **sdk)
                    return await self._queue.send(request, progress, HELD_TIMEOUT)
                except UnprocessableEntityError as error:
                    if not wants_a_name(error.body):
                        raise
                    traits.saves_without_a_name = False
            body = evolve(body, path=f"sampler-{seq_id}", sampling_session_seq_id=None)
            request = save_weights_for_sampler.request(body=body, **sdk)
            return await self._queue.send(request, progress, HELD_TIMEOUT)

        decode = result_of(
            models.SaveWeightsForSamplerResponse,
            "save_weights_for_sampler",
            needs=("sampling_session_id", "path"),
        )
        return self._queue.submit(
            [send], decode, progress, kind="SaveWeightsForSampler", content=kind.encode
        )

    def create_sampling_client(
        self,
        model_path: str,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> BackcompatSamplingClientFuture:
        """A client that samples from a checkpoint; see `ServiceClient.create_sampling_client`."""
        from tinker.sampling import (  # noqa: PLC0415  # with numpy
            BackcompatSamplingClientFuture,
            SamplingClient,
        )

        return BackcompatSamplingClientFuture.of(
            SamplingClient.create(
                self.session,
                model_path=model_path,
                retry_config=retry_config,
                record_stability_info=record_stability_info,
            )
        )

    # ---- the model --------------------------------------------------------------------------

    def _guaranteed_model_id(self) -> str:
        """The `model_id`. Not a public name, but one of the official SDK that public code uses."""
        return self.model_id

    def get_info(self) -> types.GetInfoResponse:
        """Facts about the run: base model, tokenizer, rank. Sends a request and waits."""
        asking = fetch_info(self.session, self.model_id)
        return APIFuture.start(asking, session=self.session).result()

    def get_console_url(self) -> str:
        """The run's page in the hosted service's console."""
        return console.training_run_url(self.model_id)

    def get_tokenizer(self) -> Tokenizer:
        """The tokenizer of the base model."""
        if self._tokenizer is None:
            from tinker.tokenizers import get_tokenizer  # noqa: PLC0415

            name = self._info.model_data.tokenizer_id or self._base_model()
            self._tokenizer = get_tokenizer(name)
        return self._tokenizer

    def get_telemetry(self) -> None:
        """None: this client records nothing about how it is used. The official SDK returns its recorder."""

    # ---- older names ------------------------------------------------------------------------

    forward_backward_async = submitted(forward_backward)
    forward_backward_custom_async = submitted(forward_backward_custom)
    forward_async = submitted(forward)
    optim_step_async = submitted(optim_step)
    save_state_async = submitted(save_state)
    load_state_async = submitted(load_state)
    load_state_with_optimizer_async = submitted(load_state_with_optimizer)
    save_weights_for_sampler_async = submitted(save_weights_for_sampler)
    save_weights_external_async = submitted(save_weights_external)
    save_weights_and_get_sampling_client_async = awaited(save_weights_and_get_sampling_client)
    create_sampling_client_async = awaited(create_sampling_client)
    get_info_async = in_thread(get_info)

    # ---- inside -----------------------------------------------------------------------------

    def _base_model(self) -> str:
        name = self._info.model_data.model_name or self._info.model_name
        if name is None:
            raise ValueError(f"The server does not report the base model of {self.model_id}.")
        return name


async def fetch_info(session: Session, model_id: str) -> types.GetInfoResponse:
    progress = Progress("get_info", {"model_id": model_id})
    request = get_info.request(body=models.GetInfoRequest(model_id=model_id))
    return await session.fetch(request, progress)


class BackcompatTrainingClientFuture(BackcompatClientFuture[TrainingClient], TrainingClient):
    """The future of a `TrainingClient`."""
