"""How training clients are made: with a new run, from a checkpoint, or of a run that another process has begun."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from tinker import _log, types
from tinker._protocol import retry
from tinker._protocol.connection import HELD_TIMEOUT
from tinker._protocol.progress import Progress
from tinker._protocol.results import result_of
from tinker._protocol.server_traits import REFUSALS_OF_A_FORM, expected_seq_id
from tinker._protocol.session import Session
from tinker.errors import (
    APIStatusError,
    JournalError,
    RequestFailedError,
    RunLostError,
    TinkerError,
)
from tinker.training import BackcompatTrainingClientFuture, TrainingClient, fetch_info
from tinker_api import models
from tinker_api.api.models import create_model
from tinker_api.api.service import get_server_capabilities
from tinker_api.api.weights import load_weights, weights_info

if TYPE_CHECKING:
    from tinker._training.journal import Journal

DEFAULT_RANK = 32
_FIRST_NUMBER_OF_SAMPLERS = 2**20
_FORGOTTEN = (404, 410)
_FAILED = 500
"""What a server may return for a run that it has lost, or for another reason."""
_LOOK_FOR_CHECKPOINT = 10.0
"""Seconds that an error may wait for the name of a checkpoint."""

JournalPath = str | os.PathLike[str]


class Creation:
    """Makes one training client in a session."""

    def __init__(
        self,
        session: Session,
        progress: Progress,
        journal: JournalPath | None,
        *,
        user_metadata: models.UserMetadata | None = None,
        **made_from: Any,
    ) -> None:
        """Open the journal, in the caller's thread.

        Args:
            session: Where the client lives.
            progress: Of the call.
            journal: Its file, if one is kept.
            user_metadata: Of a run that goes on from the last checkpoint of one that the server has forgotten.
            **made_from: What the run is created with; nothing for any run.

        Raises:
            JournalError: The journal is in use, of another run, or not a journal.
        """
        session.check_open()
        self._session = session
        self._progress = progress
        self._user_metadata = user_metadata
        self._made_from = made_from
        self._first_call = 0
        self._journal: Journal | None = None
        if journal is not None:
            from tinker._training.journal import Journal  # noqa: PLC0415  # few use one

            self._journal = Journal.open(journal, made_from or None)

    def start(
        self, create: Callable[[], Awaitable[TrainingClient]], run_id: str | None = None
    ) -> BackcompatTrainingClientFuture:
        """Run `create`, unless the journal has a run: then go on with that, which must be `run_id` if one is given."""

        async def run() -> TrainingClient:
            journal = self._journal
            try:
                with self._session.watched(self._progress):
                    if journal is not None and journal.run is not None:
                        client = await self._gone_on(journal, run_id or journal.run.run_id)
                    else:
                        client = await create()
            except BaseException:
                if journal is not None:
                    journal.close()
                raise
            if journal is not None:
                self._session.at_end.append(journal.close)
            return client

        try:
            return BackcompatTrainingClientFuture.start(
                run(), self._progress, session=self._session
            )
        except BaseException:
            if self._journal is not None:
                self._journal.close()
            raise

    # ---- new runs ---------------------------------------------------------------------------

    async def new(self, request: models.CreateModelRequest) -> TrainingClient:
        """With a new adapter. The session's id is filled in."""
        request = evolve(request, session_id=await self._session.id())
        try:
            promise = await self._session.connection.fetch(
                create_model.request(body=request),
                self._progress,
                policy=retry.CREATION,
                timeout=HELD_TIMEOUT,
            )
        except APIStatusError as error:
            if error.status_code in (400, 404, 422):
                await self._name_models(error, request.base_model)
            raise
        decode = result_of(models.CreateModelResponse, "create_model")
        response = await self._session.result(promise, decode, self._progress, kind="CreateModel")
        return await self._client(
            response.model_id, request.model_seq_id, request.optimizer_config, request.session_id
        )

    async def from_checkpoint(self, request: models.LoadWeightsRequest) -> TrainingClient:
        """With the weights of a checkpoint. The session's id is filled in."""
        request = evolve(request, session_id=await self._session.id())
        assert request.model_seq_id is not None
        promise = await self._load_as_new_model(request)
        if promise is None:
            return await self._create_then_load(request)
        decode = result_of(models.LoadWeightsResponse, "load_weights")
        response = await self._session.result(promise, decode, self._progress, kind="LoadWeights")
        model_id = response.model_id or f"{request.session_id}:train:{request.model_seq_id}"
        return await self._client(
            model_id, request.model_seq_id, request.optimizer_config, request.session_id
        )

    async def _load_as_new_model(
        self, request: models.LoadWeightsRequest
    ) -> models.UntypedAPIFuture | None:
        """The promise of a model made from a checkpoint in one step; None if the server has no such step."""
        traits, connection = self._session.traits, self._session.connection
        if not traits.creates_from_checkpoint:
            return None
        response = await connection.call(
            load_weights.request(body=request),
            self._progress,
            policy=retry.CREATION,
            passed=REFUSALS_OF_A_FORM,
            timeout=HELD_TIMEOUT,
        )
        if response.status_code in REFUSALS_OF_A_FORM:
            return None
        return connection.parse(response, self._progress)

    async def _create_then_load(self, request: models.LoadWeightsRequest) -> TrainingClient:
        """The same in two steps, which every server supports. Also reports what is wrong with a path."""
        info = await self._session.connection.fetch(
            weights_info.request(body=models.WeightsInfoRequest(tinker_path=request.path)),
            self._progress,
        )
        lora = None
        if info.is_lora:
            flags = {
                name: value
                for name in ("train_mlp", "train_attn", "train_unembed")
                if (value := getattr(info, name)) is not None
            }
            lora = models.LoraConfig(rank=info.lora_rank or DEFAULT_RANK, **flags)
        assert request.model_seq_id is not None
        journal, self._journal = self._journal, None  # the loading is part of the creation
        client = await self.new(
            models.CreateModelRequest(
                session_id="",
                model_seq_id=request.model_seq_id,
                base_model=info.base_model,
                lora_config=lora,
                user_metadata=request.user_metadata,
                optimizer_config=request.optimizer_config,
            )
        )
        load = client.load_state_with_optimizer if request.optimizer else client.load_state
        try:
            await load(request.path, request.weights_access_token)
        except RequestFailedError as error:
            if expected_seq_id(error.message) is None:
                raise
            raise TinkerError(
                f"{self._progress.name()}: {self._session.settings.base_url} loads a checkpoint only into the run "
                f"that saved it: {error.message}"
            ) from error
        self._session.traits.creates_from_checkpoint = False
        self._journal = journal
        if journal is None:
            return client
        return await self._client(
            client.model_id,
            request.model_seq_id,
            request.optimizer_config,
            request.session_id,
            next_seq_id=2,
        )

    async def _client(
        self,
        model_id: str,
        number: int,
        optimizer: types.OptimizerConfig | None,
        session_id: str | None,
        next_seq_id: int = 1,
    ) -> TrainingClient:
        info = await fetch_info(self._session, model_id)
        if optimizer is not None and getattr(info.optimizer_config, "type", None) != optimizer.type:
            _log.OPTIMIZER_UNCONFIRMED(
                server=self._session.settings.base_url, model_id=model_id, optimizer=optimizer.type
            )
        self._begin_journal(model_id, session_id, next_seq_id)
        return TrainingClient(
            self._session,
            number,
            model_id,
            info=info,
            journal=self._journal,
            next_seq_id=next_seq_id,
        )

    def _begin_journal(self, model_id: str, session_id: str | None, next_seq_id: int) -> None:
        if self._journal is not None:
            from tinker._training.journal import Run  # noqa: PLC0415  # few use one

            known = self._journal.run
            made_from = self._made_from if known is None else known.made_from
            self._journal.begin(Run(model_id, session_id, made_from, next_seq_id, self._first_call))

    async def _name_models(self, error: APIStatusError, base_model: str) -> None:
        """Add the models that the server offers to an error, if it lists them."""
        progress = Progress("get_server_capabilities")
        try:
            response = await self._session.fetch(get_server_capabilities.request(), progress)
        except TinkerError:
            return
        names = [m.model_name or "" for m in response.supported_models]
        if base_model not in names and all(names) and not any(n in error.message for n in names):
            offer = f"{error.message}. The server offers: {', '.join(names) or 'no models'}"
            error.message = offer
            error.args = (offer,)

    # ---- runs that another process has begun ------------------------------------------------

    async def _gone_on(self, journal: Journal, run_id: str) -> TrainingClient:
        """Of the journal's run; or of a new one, from the last checkpoint, if the server has forgotten it."""
        try:
            return await self.taken_up(run_id)
        except RunLostError as lost:
            if (found := journal.last_checkpoint()) is None:
                raise
            checkpoint, self._first_call = found
            request = models.LoadWeightsRequest(
                session_id="",
                model_seq_id=next(self._session.model_numbers),
                path=checkpoint,
                optimizer=True,
                user_metadata=self._user_metadata,
            )
            try:
                client = await self.from_checkpoint(request)
            except (APIStatusError, RequestFailedError) as error:
                lost.add_note(f"Its checkpoint {checkpoint} cannot be loaded: {error}")
                raise lost from None
            _log.RUN_LOST(model_id=run_id, checkpoint=checkpoint)
            return client

    async def taken_up(self, run_id: str) -> TrainingClient:
        """Of a run that is there.

        Raises:
            RunLostError: The server does not know it any more, or its next number cannot be known.
            JournalError: The journal is of another run, or another program has gone on with this one.
        """
        journal = self._journal
        if journal is not None and journal.run is not None:
            if run_id not in journal.run_ids:
                raise JournalError(
                    f"{journal.path} is the journal of {journal.run.run_id}, not of {run_id}: use another file."
                )
            run_id = journal.run.run_id
        try:
            info = await fetch_info(self._session, run_id)
        except APIStatusError as error:
            if error.status_code in _FORGOTTEN:
                raise await self._lost(
                    run_id, f"the server does not know it any more ({error})"
                ) from error
            if error.status_code == _FAILED and (found := await self._last_checkpoint(run_id)):
                error.add_note(
                    f"If the server has lost the training run {run_id}, go on from its last checkpoint: "
                    f"{self._line_to_type(found)}"
                )
            raise
        session_id, _, number = run_id.rpartition(":train:")
        if journal is not None and journal.run is not None:
            next_seq_id = journal.next_seq_id
            session_id = journal.run.session_id or session_id
            if (info.last_seq_id or 0) >= next_seq_id:
                raise JournalError(
                    f"The training run {run_id} is at seq_id {info.last_seq_id}, and {journal.path} ends at "
                    f"{next_seq_id - 1}: another program has gone on with the run. Go on from a checkpoint, with "
                    "another journal."
                )
            if info.last_seq_id is not None:
                journal.forget_after(info.last_seq_id)
        else:
            next_seq_id = await self._told(run_id, info)
            self._begin_journal(run_id, session_id or None, next_seq_id)
        if session_id:
            await self._session.adopt(session_id, finish=journal is not None)
        first = _FIRST_NUMBER_OF_SAMPLERS + secrets.randbelow(2**30)  # not one that was used before
        return TrainingClient(
            self._session,
            int(number) if number.isdecimal() else 0,
            run_id,
            info=info,
            journal=journal,
            next_seq_id=next_seq_id,
            sampler_numbers=itertools.count(first),
        )

    async def _told(self, run_id: str, info: types.GetInfoResponse) -> int:
        """The next number, by the server."""
        if info.next_seq_id is None:
            raise await self._lost(
                run_id,
                "the server does not report its next seq_id, and no journal records it; a run that was unloaded has none",
            )
        if (info.last_seq_id or 0) >= info.next_seq_id:
            raise await self._lost(
                run_id,
                f"seq_id {info.next_seq_id} has not arrived, and {info.last_seq_id} has: only the process that sent it, "
                "or its journal, knows what is missing",
            )
        return info.next_seq_id

    async def _lost(self, run_id: str, why: str) -> RunLostError:
        checkpoint = await self._last_checkpoint(run_id)
        hint = (
            "It has no checkpoint."
            if checkpoint is None
            else f"Go on from its last checkpoint, {checkpoint}: {self._line_to_type(checkpoint)}"
        )
        return RunLostError(
            f"The training run {run_id} cannot be taken up: {why}. {hint}", checkpoint
        )

    async def _last_checkpoint(self, run_id: str) -> str | None:
        """Its newest training checkpoint, as far as the server or the journal knows."""
        from tinker.rest import RestClient  # noqa: PLC0415  # slow to import, and seldom needed

        with contextlib.suppress(TinkerError, TimeoutError):  # an error says less then
            async with asyncio.timeout(_LOOK_FOR_CHECKPOINT):
                found = await RestClient(self._session).latest_checkpoint(run_id)
            if found is not None:
                return found.tinker_path
        return None if self._journal is None else self._journal.checkpoint

    def _line_to_type(self, checkpoint: str) -> str:
        journal = ""
        if self._journal is not None:
            path = self._journal.path
            journal = f", journal={str(path.with_stem(f'{path.stem}-2'))!r}"
        return f"service.create_training_client_from_state_with_optimizer({checkpoint!r}{journal})"


def lora_facts(
    base_model: str, lora: models.LoraConfig, optimizer: types.OptimizerConfig | None
) -> Mapping[str, Any]:
    """What a journal keeps of a new run's settings."""
    name = "adamw" if optimizer is None else optimizer.type
    return {"base_model": base_model, **lora.to_dict(), "optimizer": name}
