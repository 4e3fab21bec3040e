"""`ServiceClient`: the entry point."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tinker import _log, types
from tinker._compat.deprecated import awaited, in_thread
from tinker._compat.holder import HasHolder
from tinker._http import config
from tinker._protocol import arguments, retry
from tinker._protocol.connection import HELD_TIMEOUT
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_A_FORM, expected_seq_id
from tinker._protocol.session import FinishStatus, Session, describe, finish_status
from tinker._training.queue import result_of
from tinker.errors import APIStatusError, RequestFailedError, TinkerError
from tinker.futures import APIFuture
from tinker.retry_config import RetryConfig
from tinker.retry_policy import RetryPolicy
from tinker.training import BackcompatTrainingClientFuture, TrainingClient, fetch_info
from tinker.types import _console as console
from tinker_api import models
from tinker_api.api.models import create_model
from tinker_api.api.service import get_server_capabilities
from tinker_api.api.training import create_custom_loss
from tinker_api.api.weights import load_weights, weights_info

if TYPE_CHECKING:
    from tinker.custom_loss import LossHandle, PerDatumLossFn
    from tinker.rest import RestClient
    from tinker.sampling import BackcompatSamplingClientFuture

_DEFAULT_RANK = 32


class ServiceClient(HasHolder):
    """Entry point: one connection and one session, from which training and sampling clients are made.

    Args:
        user_metadata: Names and values kept with the session.
        project_id: The project the session is accounted to; default TINKER_PROJECT_ID.
        display_name: A name of the session for people.
        base_url: The server; default TINKER_BASE_URL, then the hosted service. `local` runs the
            embedded server inside this process.
        api_key: The credential; default TINKER_API_KEY. Not needed for a server on this machine.
        default_headers_overrides: Headers for every request.
        retry: How persistently requests are retried, and their deadlines.
        **kwargs: Ignored, with a warning: older code sets a `timeout` or `max_retries`.

    Nothing is sent before the first operation. Use it in a `with` block, or call `close`, to tell the
    server how the work ended; otherwise it is told when the interpreter exits.

    Raises:
        ValueError: The address or the key is malformed.
        TinkerError: There is no key, and the server is not on this machine.
    """

    def __init__(
        self,
        user_metadata: dict[str, str] | None = None,
        project_id: str | None = None,
        *,
        display_name: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        default_headers_overrides: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            warnings.warn(
                f"ServiceClient ignores unknown arguments: {', '.join(kwargs)}.",
                FutureWarning,
                stacklevel=2,
            )
        self.session = Session(
            config.resolve(base_url, api_key),
            user_metadata=user_metadata,
            project_id=project_id,
            display_name=display_name,
            headers=default_headers_overrides,
            policy=retry,
        )

    def __repr__(self) -> str:
        return describe(self)

    # ---- training clients -------------------------------------------------------------------

    def create_lora_training_client(
        self,
        base_model: str,
        rank: int = _DEFAULT_RANK,
        seed: int | None = None,
        train_mlp: bool = True,
        train_attn: bool = True,
        train_unembed: bool = True,
        user_metadata: dict[str, str] | None = None,
        optimizer: types.OptimizerConfig | None = None,
    ) -> BackcompatTrainingClientFuture:
        """Create a training run: a base model with a new LoRA adapter.

        Args:
            base_model: A name from `get_server_capabilities`.
            rank: Rank of the adapter's matrices.
            seed: Seed of the initial weights; None is random: the server picks one.
            train_mlp: Adapt the MLP blocks.
            train_attn: Adapt the attention blocks.
            train_unembed: Adapt the unembedding.
            user_metadata: Names and values kept with the run.
            optimizer: The optimizer; None is AdamW, which every server has.
        """
        if not isinstance(base_model, str) or not base_model:
            raise ValueError(f"base_model is {base_model!r}; it must be the name of a model.")
        arguments.check_lora(
            rank, seed, train_mlp=train_mlp, train_attn=train_attn, train_unembed=train_unembed
        )
        metadata = arguments.metadata(user_metadata)
        number = next(self.session.model_numbers)
        progress = Progress("create_model", {"base_model": base_model})

        lora = models.LoraConfig(
            rank=rank,
            seed=seed,
            train_mlp=train_mlp,
            train_attn=train_attn,
            train_unembed=train_unembed,
        )

        async def create() -> TrainingClient:
            with self.session.watched(progress):
                return await self._create(number, base_model, lora, metadata, optimizer, progress)

        return BackcompatTrainingClientFuture.start(create(), progress, session=self.session)

    async def _create(
        self,
        number: int,
        base_model: str,
        lora: models.LoraConfig | None,
        user_metadata: models.UserMetadata | None,
        optimizer: types.OptimizerConfig | None,
        progress: Progress,
    ) -> TrainingClient:
        request = models.CreateModelRequest(
            session_id=await self.session.id(),
            model_seq_id=number,
            base_model=base_model,
            lora_config=lora,
            user_metadata=user_metadata,
            optimizer_config=_unless_adam(optimizer),
        )
        try:
            promise = await self.session.connection.fetch(
                create_model.request(body=request),
                progress,
                policy=retry.CREATION,
                timeout=HELD_TIMEOUT,
            )
        except APIStatusError as error:
            if error.status_code in (400, 404, 422):
                await self._name_models(error, base_model)
            raise
        decode = result_of(models.CreateModelResponse, "create_model")
        answer = await self.session.result(promise, decode, progress, kind="CreateModel")
        return await self._client(answer.model_id, number, request.optimizer_config)

    def create_training_client_from_state(
        self,
        path: str,
        base_model: str | None = None,
        user_metadata: dict[str, str] | None = None,
        weights_access_token: str | None = None,
        optimizer: types.OptimizerConfig | None = None,
    ) -> BackcompatTrainingClientFuture:
        """Create a training run from the weights of a training checkpoint; with a new optimizer.

        Args:
            path: Tinker path of the checkpoint.
            base_model: Its base model, if the server should check it.
            user_metadata: Names and values kept with the new run.
            weights_access_token: Grants access to a checkpoint of another owner.
            optimizer: The optimizer; None is AdamW.
        """
        return self._from_state(
            path, base_model, user_metadata, weights_access_token, optimizer, with_state=False
        )

    def create_training_client_from_state_with_optimizer(
        self,
        path: str,
        base_model: str | None = None,
        user_metadata: dict[str, str] | None = None,
        weights_access_token: str | None = None,
    ) -> BackcompatTrainingClientFuture:
        """Create a training run that goes on exactly where a training checkpoint was saved."""
        return self._from_state(
            path, base_model, user_metadata, weights_access_token, None, with_state=True
        )

    def _from_state(
        self,
        path: str,
        base_model: str | None,
        user_metadata: dict[str, str] | None,
        weights_access_token: str | None,
        optimizer: types.OptimizerConfig | None,
        *,
        with_state: bool,
    ) -> BackcompatTrainingClientFuture:
        arguments.check_tinker_path(path)
        metadata = arguments.metadata(user_metadata)
        number = next(self.session.model_numbers)
        progress = Progress("load_weights", {"path": path})

        async def create() -> TrainingClient:
            with self.session.watched(progress):
                request = models.LoadWeightsRequest(
                    session_id=await self.session.id(),
                    model_seq_id=number,
                    path=path,
                    optimizer=with_state,
                    optimizer_config=_unless_adam(optimizer),
                    base_model=base_model,
                    user_metadata=metadata,
                    weights_access_token=weights_access_token,
                )
                promise = await self._load_as_new_model(request, progress)
                if promise is None:
                    return await self._create_then_load(request, progress)
                decode = result_of(models.LoadWeightsResponse, "load_weights")
                answer = await self.session.result(promise, decode, progress, kind="LoadWeights")
                model_id = answer.model_id or f"{request.session_id}:train:{number}"
                return await self._client(model_id, number, request.optimizer_config)

        return BackcompatTrainingClientFuture.start(create(), progress, session=self.session)

    async def _load_as_new_model(
        self, request: models.LoadWeightsRequest, progress: Progress
    ) -> models.UntypedAPIFuture | None:
        """The promise of a model made from a checkpoint in one step; None if the server has no such step."""
        traits, connection = self.session.traits, self.session.connection
        if not traits.creates_from_checkpoint:
            return None
        response = await connection.call(
            load_weights.request(body=request),
            progress,
            policy=retry.CREATION,
            passed=REFUSALS_OF_A_FORM,
            timeout=HELD_TIMEOUT,
        )
        if response.status_code in REFUSALS_OF_A_FORM:
            return None
        return connection.parse(response, progress)

    async def _create_then_load(
        self, request: models.LoadWeightsRequest, progress: Progress
    ) -> TrainingClient:
        """The same in two steps, which every server supports. Also reports what is wrong with a path."""
        info = await self.session.connection.fetch(
            weights_info.request(body=models.WeightsInfoRequest(tinker_path=request.path)),
            progress,
        )
        lora = None
        if info.is_lora:
            flags = {
                name: value
                for name in ("train_mlp", "train_attn", "train_unembed")
                if (value := getattr(info, name)) is not None
            }
            lora = models.LoraConfig(rank=info.lora_rank or _DEFAULT_RANK, **flags)
        assert request.model_seq_id is not None
        client = await self._create(
            request.model_seq_id,
            info.base_model,
            lora,
            request.user_metadata,
            request.optimizer_config,
            progress,
        )
        load = client.load_state_with_optimizer if request.optimizer else client.load_state
        try:
            await load(request.path, request.weights_access_token)
        except RequestFailedError as error:
            if expected_seq_id(error.message) is None:
                raise
            raise TinkerError(
                f"{progress.name()}: {self.session.settings.base_url} loads a checkpoint only into the run "
                f"that saved it: {error.message}"
            ) from error
        self.session.traits.creates_from_checkpoint = False
        return client

    async def _client(
        self, model_id: str, number: int, optimizer: types.OptimizerConfig | None
    ) -> TrainingClient:
        info = await fetch_info(self.session, model_id)
        if optimizer is not None and getattr(info.optimizer_config, "type", None) != optimizer.type:
            _log.OPTIMIZER_UNCONFIRMED(
                server=self.session.settings.base_url, model_id=model_id, optimizer=optimizer.type
            )
        return TrainingClient(self.session, number, model_id, info=info)

    async def _name_models(self, error: APIStatusError, base_model: str) -> None:
        """Add the models that the server offers to an error, if it lists them."""
        try:
            answer = await self._capabilities()
        except TinkerError:
            return
        names = [m.model_name or "" for m in answer.supported_models]
        if base_model not in names and all(names) and not any(n in error.message for n in names):
            offer = f"{error.message}. The server offers: {', '.join(names) or 'no models'}"
            error.message = offer
            error.args = (offer,)

    # ---- sampling clients -------------------------------------------------------------------

    def create_sampling_client(
        self,
        model_path: str | None = None,
        base_model: str | None = None,
        retry_config: RetryConfig | None = None,
        record_stability_info: bool = False,
    ) -> BackcompatSamplingClientFuture:
        """Create a client that samples from a base model or a checkpoint.

        Args:
            model_path: Tinker path of a checkpoint.
            base_model: A name from `get_server_capabilities`. With `model_path`: at which context length to
                sample from the checkpoint, as `org/name:peft:262144`.
            retry_config: How persistently it retries.
            record_stability_info: Have the server keep what the loss `stable_reinforce` needs.
        """
        from tinker.sampling import (  # noqa: PLC0415  # with numpy
            BackcompatSamplingClientFuture,
            SamplingClient,
        )

        return BackcompatSamplingClientFuture.of(
            SamplingClient.create(
                self.session,
                model_path=model_path,
                base_model=base_model,
                retry_config=retry_config,
                record_stability_info=record_stability_info,
            )
        )

    # ---- losses -----------------------------------------------------------------------------

    def create_custom_loss(
        self, fn: PerDatumLossFn, input_ranks: Mapping[str, int]
    ) -> APIFuture[LossHandle]:
        """Trace a loss and register it with the server, which then runs it. Needs torch.

        Args:
            fn: A torch function of one datum: of its `logprobs`, then of `loss_fn_inputs` by name. Returns a
                loss of one element, or that and metrics named like `custom/name:mean`.
            input_ranks: For each of its arguments how many dimensions it has, 0 to 2; `logprobs` first.

        Returns:
            What `forward_backward_custom` takes for a loss function.

        Raises:
            ValueError: The function has a step that no server can run.
        """
        from tinker._training.loss_graph import trace_loss  # noqa: PLC0415  # few need it
        from tinker.custom_loss import LossHandle  # noqa: PLC0415

        graph, module = trace_loss(fn, input_ranks)
        inputs = [models.CustomLossInput(name=n, rank=r) for n, r in input_ranks.items()]  # type: ignore[arg-type]  # checked
        number = next(self.session.loss_numbers)
        name = getattr(fn, "__name__", "loss")
        progress = Progress("create_custom_loss", {"name": name})

        async def create() -> LossHandle:
            with self.session.watched(progress):
                session_id = await self.session.id()
                body = models.CreateCustomLossRequest(
                    session_id=session_id,
                    custom_loss_seq_id=number,
                    name=name,
                    inputs=inputs,
                    graph=graph,
                )
                promise = await self.session.connection.fetch(
                    create_custom_loss.request(body=body), progress
                )
                decode = result_of(models.CreateCustomLossResponse, "create_custom_loss")
                answer = await self.session.result(
                    promise, decode, progress, kind="CreateCustomLoss"
                )
                return LossHandle(name, tuple(inputs), session_id, module, answer.loss_id)

        return APIFuture.start(create(), progress, session=self.session)

    # ---- the server -------------------------------------------------------------------------

    def get_server_capabilities(self) -> types.GetServerCapabilitiesResponse:
        """The models the server offers. Sends a request and waits."""
        return APIFuture.start(self._capabilities(), session=self.session).result()

    def create_rest_client(self) -> RestClient:
        """A client that reads and manages what is on the server, over this one's connection."""
        from tinker.rest import RestClient  # noqa: PLC0415  # a training loop needs none

        return RestClient(self.session)

    def copy_weights(
        self, path: str, *, ttl_seconds: int | None = None, weights_access_token: str | None = None
    ) -> APIFuture[str]:
        """As `RestClient.copy_weights`, into the project of this session."""
        return self.create_rest_client().copy_weights(
            path,
            self.session.project_id,
            ttl_seconds=ttl_seconds,
            weights_access_token=weights_access_token,
        )

    def get_console_url(self) -> str:
        """The session's page in the hosted service's console; before the first operation, that of all."""
        return console.session_url(self.session.known_id)

    async def _capabilities(self) -> types.GetServerCapabilitiesResponse:
        return await self.session.fetch(
            get_server_capabilities.request(), Progress("get_server_capabilities")
        )

    def get_telemetry(self) -> None:
        """None: this client records nothing about how it is used. The official SDK returns its recorder."""

    # ---- older names ------------------------------------------------------------------------

    create_lora_training_client_async = awaited(create_lora_training_client)
    create_training_client_from_state_async = awaited(create_training_client_from_state)
    create_training_client_from_state_with_optimizer_async = awaited(
        create_training_client_from_state_with_optimizer
    )
    create_sampling_client_async = awaited(create_sampling_client)
    get_server_capabilities_async = in_thread(get_server_capabilities)

    # ---- the end ----------------------------------------------------------------------------

    def close(
        self, status: FinishStatus = "success", detail: str | None = None, *, wait: bool = False
    ) -> APIFuture[None]:
        """Finish the session: new calls are refused from now on, and the server is told how the work ended.

        A `with` block that ends without an error waits for pending operations; one that ends with an error
        does not.

        Args:
            status: `success`, `errored` or `interrupted`. If operations are lost that the server has not accepted,
                `success` becomes `interrupted`, and the log names them.
            detail: More, for people.
            wait: Wait for pending operations first. Otherwise their futures fail with a `TinkerError`.
        """
        return APIFuture.start(self.session.end(status, detail, wait=wait))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(exc_type).result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave(exc_type)

    def _leave(self, exc_type: type[BaseException] | None) -> APIFuture[None]:
        detail = exc_type.__name__ if exc_type else None
        return self.close(finish_status(exc_type), detail, wait=exc_type is None)


def _unless_adam(optimizer: types.OptimizerConfig | None) -> types.OptimizerConfig | None:
    """Newer than some servers, which all have AdamW."""
    return None if optimizer is None or optimizer.type == "adamw" else optimizer
