"""`ServiceClient`: the entry point."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tinker import types
from tinker._compat.deprecated import awaited, in_thread
from tinker._compat.holder import HasHolder
from tinker._creation import DEFAULT_RANK, Creation, JournalPath, lora_facts
from tinker._http import config
from tinker._protocol import arguments
from tinker._protocol.liveness import FinishStatus, finish_status
from tinker._protocol.progress import Progress
from tinker._protocol.results import result_of
from tinker._protocol.session import Session, describe
from tinker.futures import APIFuture
from tinker.retry_config import RetryConfig
from tinker.retry_policy import RetryPolicy
from tinker.training import BackcompatTrainingClientFuture
from tinker.types import _console as console
from tinker_api import models
from tinker_api.api.service import get_server_capabilities
from tinker_api.api.training import create_custom_loss

if TYPE_CHECKING:
    from tinker.custom_loss import LossHandle, PerDatumLossFn
    from tinker.rest import RestClient
    from tinker.sampling import BackcompatSamplingClientFuture


class ServiceClient(HasHolder):
    """Entry point: one connection and one session, from which training and sampling clients are made.

    Args:
        user_metadata: Your own names and values, stored with the session.
        project_id: The project that the session is billed to; default TINKER_PROJECT_ID.
        display_name: Display name of the session.
        base_url: The server; default TINKER_BASE_URL, then the hosted service. `local` runs the
            embedded server inside this process.
        api_key: The credential; default TINKER_API_KEY. Not needed for a server on this machine.
        default_headers_overrides: Headers for every request.
        retry: How persistently requests are retried, and their deadlines.
        **kwargs: Ignored, with a warning: older code sets a `timeout` or `max_retries`.

    Nothing is sent before the first operation. Use it in a `with` or `async with` block, or call `close`, to
    tell the server how the work ended; otherwise it is told when the interpreter exits.

    Raises:
        ValueError: The address or the key is malformed.
        TypeError: `retry` is not a `RetryPolicy`.
        TinkerError: No key was found, and the server is not on this machine.
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
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry is {retry!r}; it must be a RetryPolicy.")
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
        rank: int = DEFAULT_RANK,
        seed: int | None = None,
        train_mlp: bool = True,
        train_attn: bool = True,
        train_unembed: bool = True,
        user_metadata: dict[str, str] | None = None,
        optimizer: types.OptimizerConfig | None = None,
        *,
        journal: JournalPath | None = None,
    ) -> BackcompatTrainingClientFuture:
        """Create a training run: a base model with a new LoRA adapter.

        Args:
            base_model: A name from `get_server_capabilities`.
            rank: Rank of the adapter's matrices.
            seed: Seed of the initial weights; None means a random one, chosen by the server.
            train_mlp: Adapt the MLP blocks.
            train_attn: Adapt the attention blocks.
            train_unembed: Adapt the unembedding.
            user_metadata: Your own names and values, stored with the run.
            optimizer: The optimizer; None is AdamW, which every server has.
            journal: A file that records the run, so that the same program, run again after a crash, goes on with it:
                see `TrainingClient.steps`. None keeps none.

        Raises:
            JournalError: The journal is in use, or of a run with other settings.
            RunLostError: The server does not know the journal's run any more, and none of its steps begins with a
                checkpoint to go on from. The error names the last checkpoint.
        """
        if not isinstance(base_model, str) or not base_model:
            raise ValueError(f"base_model is {base_model!r}; it must be the name of a model.")
        arguments.check_lora(
            rank, seed, train_mlp=train_mlp, train_attn=train_attn, train_unembed=train_unembed
        )
        metadata = arguments.metadata(user_metadata)
        lora = models.LoraConfig(
            rank=rank,
            seed=seed,
            train_mlp=train_mlp,
            train_attn=train_attn,
            train_unembed=train_unembed,
        )
        creation = Creation(
            self.session,
            Progress("create_model", {"base_model": base_model}),
            journal,
            user_metadata=metadata,
            **lora_facts(base_model, lora, optimizer),
        )
        request = models.CreateModelRequest(
            session_id="",
            model_seq_id=next(self.session.model_numbers),
            base_model=base_model,
            lora_config=lora,
            user_metadata=metadata,
            optimizer_config=_unless_adam(optimizer),
        )
        return creation.start(lambda: creation.new(request))

    def create_training_client_from_state(
        self,
        path: str,
        base_model: str | None = None,
        user_metadata: dict[str, str] | None = None,
        weights_access_token: str | None = None,
        optimizer: types.OptimizerConfig | None = None,
        *,
        journal: JournalPath | None = None,
    ) -> BackcompatTrainingClientFuture:
        """Create a training run from the weights of a training checkpoint; with a new optimizer.

        Args:
            path: Tinker path of the checkpoint.
            base_model: Its base model, if the server should check it.
            user_metadata: Names and values kept with the new run.
            weights_access_token: Grants access to a checkpoint of another owner.
            optimizer: The optimizer; None is AdamW.
            journal: As of `create_lora_training_client`.
        """
        return self._from_state(
            path,
            base_model,
            user_metadata,
            weights_access_token,
            optimizer,
            journal,
            with_state=False,
        )

    def create_training_client_from_state_with_optimizer(
        self,
        path: str,
        base_model: str | None = None,
        user_metadata: dict[str, str] | None = None,
        weights_access_token: str | None = None,
        *,
        journal: JournalPath | None = None,
    ) -> BackcompatTrainingClientFuture:
        """Create a training run that goes on exactly where a training checkpoint was saved.

        Args:
            path: Tinker path of the checkpoint.
            base_model: Its base model, if the server should check it.
            user_metadata: Names and values kept with the new run.
            weights_access_token: Grants access to a checkpoint of another owner.
            journal: As of `create_lora_training_client`.
        """
        return self._from_state(
            path, base_model, user_metadata, weights_access_token, None, journal, with_state=True
        )

    def _from_state(
        self,
        path: str,
        base_model: str | None,
        user_metadata: dict[str, str] | None,
        weights_access_token: str | None,
        optimizer: types.OptimizerConfig | None,
        journal: JournalPath | None,
        *,
        with_state: bool,
    ) -> BackcompatTrainingClientFuture:
        arguments.check_tinker_path(path)
        metadata = arguments.metadata(user_metadata)
        creation = Creation(
            self.session,
            Progress("load_weights", {"path": path}),
            journal,
            user_metadata=metadata,
            checkpoint=path,
            optimizer_state=with_state,
        )
        request = models.LoadWeightsRequest(
            session_id="",
            model_seq_id=next(self.session.model_numbers),
            path=path,
            optimizer=with_state,
            optimizer_config=_unless_adam(optimizer),
            base_model=base_model,
            user_metadata=metadata,
            weights_access_token=weights_access_token,
        )
        return creation.start(lambda: creation.from_checkpoint(request))

    def reattach_training_client(
        self, training_run_id: types.ModelID, *, journal: JournalPath | None = None
    ) -> BackcompatTrainingClientFuture:
        """Go on with a training run that is on the server, of this session or any other.

        Only one process may submit operations to a run. The run's session is kept alive as long as this one.

        Args:
            training_run_id: The run, as `TrainingClient.model_id`.
            journal: The run's journal; a new one begins here.

        Raises:
            RunLostError: The server does not know the run any more, or does not report its next seq_id, and no
                journal records it. The error names the run's last checkpoint.
            JournalError: The journal is in use, or of another run.
        """
        arguments.check_run_id(training_run_id)
        progress = Progress("get_info", {"model_id": training_run_id})
        creation = Creation(self.session, progress, journal)
        return creation.start(lambda: creation.taken_up(training_run_id), training_run_id)

    def latest_checkpoint(
        self,
        training_run_id: types.ModelID | None = None,
        *,
        session_id: str | None = None,
        user_metadata: Mapping[str, str] | None = None,
        checkpoint_type: types.CheckpointType | None = "training",
    ) -> APIFuture[types.Checkpoint | None]:
        """As `RestClient.latest_checkpoint`."""
        return self.create_rest_client().latest_checkpoint(
            training_run_id,
            session_id=session_id,
            user_metadata=user_metadata,
            checkpoint_type=checkpoint_type,
        )

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
                response = await self.session.result(
                    promise, decode, progress, kind="CreateCustomLoss"
                )
                return LossHandle(name, tuple(inputs), session_id, module, response.loss_id)

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
        """Finish the session: new calls are rejected from now on, and the server is told how the work ended.

        A `with` block that ends without an error waits for pending operations; one that ends with an error
        does not.

        Args:
            status: `success`, `errored` or `interrupted`. If operations are lost that the server has not accepted,
                `success` becomes `interrupted`, and the log names them.
            detail: More about the reason, in a sentence.
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
