"""`RestClient`: reads and manages sessions, training runs and checkpoints on a server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from tinker import types
from tinker._compat.deprecated import awaited
from tinker._items import Items, by_cursor
from tinker._protocol import arguments as arguments_module, upload as upload_module
from tinker._protocol.download import CheckpointRoute, download
from tinker._protocol.identity import whoami
from tinker._protocol.pages import pages
from tinker._protocol.progress import Progress
from tinker._protocol.progress_line import ProgressCallback
from tinker._protocol.retry import NEVER
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE
from tinker.admin import AdminClient
from tinker.errors import APIStatusError, PermissionDeniedError, TinkerError
from tinker.futures import APIFuture
from tinker_api import models
from tinker_api.api.checkpoints import (
    delete_checkpoint,
    get_external_weights_urls,
    get_training_run,
    list_checkpoints,
    list_training_runs,
    list_user_checkpoints,
    publish_checkpoint,
    search_checkpoints,
    set_checkpoint_ttl,
    unpublish_checkpoint,
)
from tinker_api.api.sampling import get_sampler
from tinker_api.api.service import get_server_capabilities
from tinker_api.api.sessions import (
    assign_session_project,
    export_session_trace,
    get_session,
    list_sessions,
    search_sessions,
)
from tinker_api.api.weights import copy_weights, weights_info
from tinker_api.models.checkpoint_kind import check_checkpoint_kind
from tinker_api.models.list_sessions_access_scope import ListSessionsAccessScope as AccessScope
from tinker_api.types import UNSET, Request

T = TypeVar("T")

_PAGE = 100
_TRACE_INTERVAL = 5.0
"""Seconds between questions whether a trace is ready."""


class RestClient(AdminClient):
    """Reads and manages what is on a server; has the methods of `AdminClient` too. Opens no session of its own.

    Args:
        base_url: The server; default TINKER_BASE_URL, then the hosted service.
        api_key: The credential; default TINKER_API_KEY.

    `ServiceClient.create_rest_client()` makes one that shares the connection of a session.

    Raises:
        ValueError: The address or the key is malformed.
        TinkerError: There is no key, and the server is not on this machine.
    """

    # ---- training runs ----------------------------------------------------------------------

    def get_training_run(
        self, training_run_id: types.ModelID, access_scope: AccessScope = "owned"
    ) -> APIFuture[types.TrainingRun]:
        """A training run; `accessible` also finds those of others whose checkpoints are published."""
        arguments_module.check_text("training_run_id", training_run_id)
        arguments_module.check_scope(access_scope)
        return self._ask_in_scope(
            get_training_run.request(training_run_id=training_run_id, access_scope=access_scope),
            {"training_run_id": training_run_id},
            access_scope,
        )

    def get_training_run_by_tinker_path(
        self, tinker_path: str, access_scope: AccessScope = "owned"
    ) -> APIFuture[types.TrainingRun]:
        """The training run that saved a checkpoint."""
        return self.get_training_run(_parsed(tinker_path).training_run_id, access_scope)

    def list_training_runs(
        self,
        limit: int = 20,
        offset: int = 0,
        access_scope: AccessScope = "owned",
        project_id: str | None = None,
    ) -> APIFuture[types.TrainingRunsResponse]:
        """A page of training runs, newest first. `iter_training_runs` gives all."""
        arguments_module.check_page(limit, offset)
        arguments_module.check_scope(access_scope)
        return self._ask(
            list_training_runs.request(
                limit=limit,
                offset=offset,
                access_scope=access_scope,
                project_id=UNSET if project_id is None else project_id,
            )
        )

    def iter_training_runs(
        self, access_scope: AccessScope = "owned", project_id: str | None = None
    ) -> Items[types.TrainingRun]:
        """All training runs, newest first, read page by page as you iterate."""
        arguments_module.check_scope(access_scope)

        async def page(offset: int, limit: int) -> list[types.TrainingRun]:
            response = await self.list_training_runs(limit, offset, access_scope, project_id)
            return response.training_runs

        return Items(lambda: pages(page, lambda run: run.training_run_id, _PAGE))

    # ---- checkpoints ------------------------------------------------------------------------

    def list_checkpoints(
        self, training_run_id: types.ModelID
    ) -> APIFuture[types.CheckpointsListResponse]:
        """The checkpoints of a training run, newest first."""
        arguments_module.check_text("training_run_id", training_run_id)
        return self._ask(
            list_checkpoints.request(training_run_id=training_run_id),
            {"training_run_id": training_run_id},
        )

    def list_user_checkpoints(
        self, limit: int = 100, offset: int = 0
    ) -> APIFuture[types.CheckpointsListResponse]:
        """A page of all the user's checkpoints, newest first. `iter_user_checkpoints` gives all."""
        arguments_module.check_page(limit, offset)
        return self._ask(list_user_checkpoints.request(limit=limit, offset=offset))

    def iter_user_checkpoints(self) -> Items[types.Checkpoint]:
        """All the user's checkpoints, newest first, read page by page as you iterate."""

        async def page(offset: int, limit: int) -> list[types.Checkpoint]:
            return (await self.list_user_checkpoints(limit, offset)).checkpoints

        return Items(lambda: pages(page, lambda one: one.tinker_path, _PAGE))

    def search_checkpoints(
        self, request: types.CheckpointSearchRequest
    ) -> APIFuture[types.CheckpointSearchResponse]:
        """A page of the checkpoints that match every filter, newest first. `iter_search_checkpoints` gives all.

        Needs a server that is as new as SDK 0.39.
        """
        return self._ask(search_checkpoints.request(body=request))

    def iter_search_checkpoints(
        self, request: types.CheckpointSearchRequest
    ) -> Items[types.Checkpoint]:
        """All checkpoints that match, newest first, read page by page as you iterate."""
        return Items(
            lambda: by_cursor(self.search_checkpoints, request, lambda one: one.checkpoints)
        )

    def latest_checkpoint(
        self,
        training_run_id: types.ModelID | None = None,
        *,
        session_id: str | None = None,
        user_metadata: Mapping[str, str] | None = None,
        checkpoint_type: types.CheckpointType | None = "training",
    ) -> APIFuture[types.Checkpoint | None]:
        """The newest checkpoint of a training run, of a session, or with these metadata, or None.

        Args:
            training_run_id: The run that saved it.
            session_id: The session whose runs have saved it.
            user_metadata: Names and values that were saved with it.
            checkpoint_type: `training`, `sampler` or `external`; None is any.

        Raises:
            ValueError: Not exactly one of run, session and metadata is given.
        """
        given = [training_run_id, session_id, user_metadata]
        if sum(one is not None for one in given) != 1:
            raise ValueError(
                "latest_checkpoint takes exactly one of training_run_id, session_id and user_metadata."
            )
        if checkpoint_type not in (None, *get_args(types.CheckpointType)):
            raise ValueError(
                f"checkpoint_type is {checkpoint_type!r}; it must be None or one of "
                f"{', '.join(get_args(types.CheckpointType))}."
            )
        metadata = arguments_module.metadata(user_metadata)

        async def of_runs(run_ids: Sequence[str]) -> list[types.Checkpoint]:
            lists = await asyncio.gather(*(self.list_checkpoints(one) for one in run_ids))
            return [checkpoint for found in lists for checkpoint in found.checkpoints]

        async def latest() -> types.Checkpoint | None:
            if metadata is not None:
                return await self._latest_with(metadata, checkpoint_type)
            if session_id is not None:
                run_ids = (await self.get_session(session_id)).training_run_ids
            else:
                assert training_run_id is not None
                run_ids = [training_run_id]
            found = [
                checkpoint
                for checkpoint in await of_runs(run_ids)
                if checkpoint_type in (None, checkpoint.checkpoint_type)
            ]
            return max(found, key=lambda one: one.time, default=None)

        return APIFuture.start(latest(), session=self.session)

    async def _latest_with(
        self, metadata: models.UserMetadata, checkpoint_type: types.CheckpointType | None
    ) -> types.Checkpoint | None:
        request = types.CheckpointSearchRequest(
            user_metadata=metadata, checkpoint_type=checkpoint_type, limit=1
        )
        try:
            return next(iter((await self.search_checkpoints(request)).checkpoints), None)
        except APIStatusError as error:
            if error.status_code not in REFUSALS_OF_A_ROUTE:
                raise
        wanted = metadata.to_dict().items()  # the server has no search: read the list, newest first
        async for checkpoint in self.iter_user_checkpoints():
            kept = checkpoint.user_metadata
            if checkpoint_type in (None, checkpoint.checkpoint_type) and (
                kept is not None and wanted <= kept.to_dict().items()
            ):
                return checkpoint
        return None

    def get_weights_info_by_tinker_path(
        self, tinker_path: str
    ) -> APIFuture[types.WeightsInfoResponse]:
        """What a training run made from a checkpoint would be."""
        arguments_module.check_tinker_path(tinker_path)
        return self._ask(
            weights_info.request(body=models.WeightsInfoRequest(tinker_path=tinker_path)),
            {"path": tinker_path},
        )

    def delete_checkpoint(
        self, training_run_id: types.ModelID, checkpoint_id: str
    ) -> APIFuture[None]:
        """Delete a checkpoint for good.

        Args:
            training_run_id: The run that saved it.
            checkpoint_id: `weights/<name>`, `sampler_weights/<name>` or `external_weights/<name>`.
        """
        return self.delete_checkpoint_from_tinker_path(
            f"tinker://{training_run_id}/{checkpoint_id}"
        )

    def delete_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Delete a checkpoint for good."""
        return self._do(delete_checkpoint.request(**_route(tinker_path)), tinker_path)

    def publish_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Let everyone read a checkpoint.

        Raises:
            ConflictError: It is public already.
        """
        return self._do(publish_checkpoint.request(**_route(tinker_path)), tinker_path)

    def unpublish_checkpoint_from_tinker_path(self, tinker_path: str) -> APIFuture[None]:
        """Let only its owner read a checkpoint.

        Raises:
            ConflictError: It is private already.
        """
        return self._do(unpublish_checkpoint.request(**_route(tinker_path)), tinker_path)

    def set_checkpoint_ttl_from_tinker_path(
        self, tinker_path: str, ttl_seconds: int | None
    ) -> APIFuture[None]:
        """Have a checkpoint deleted that many seconds from now; None keeps it."""
        arguments_module.check_ttl(ttl_seconds)
        body = models.SetCheckpointTtlRequest(ttl_seconds=ttl_seconds)
        return self._do(set_checkpoint_ttl.request(**_route(tinker_path), body=body), tinker_path)

    def copy_weights(
        self,
        path: str,
        destination_project_id: str | None = None,
        *,
        ttl_seconds: int | None = None,
        weights_access_token: str | None = None,
    ) -> APIFuture[str]:
        """Copy a checkpoint to a training run of your own; returns the copy's tinker path.

        Args:
            path: Of a checkpoint of yours, or a published one.
            destination_project_id: The project of the copy.
            ttl_seconds: Seconds until it is deleted; None keeps it.
            weights_access_token: Grants access to another owner's checkpoint.
        """
        arguments_module.check_tinker_path(path)
        arguments_module.check_ttl(ttl_seconds)
        body = models.CopyWeightsRequest(
            source_path=path, destination_project_id=destination_project_id, ttl_seconds=ttl_seconds
        )
        key = str(uuid.uuid4())  # of all tries of this call, so that there is one copy

        async def copy() -> str:
            response = await self.session.fetch(
                copy_weights.request(
                    body=body,
                    x_tinker_weights_access_token=weights_access_token or UNSET,
                    x_idempotency_key=key,
                ),
                Progress("copy_weights", {"path": path}),
            )
            return response.tinker_path

        return APIFuture.start(copy(), session=self.session)

    # ---- files ------------------------------------------------------------------------------

    def get_external_weights_urls(
        self, tinker_path: str
    ) -> APIFuture[types.ExternalWeightsUrlsResponse]:
        """A signed URL for each file of a checkpoint that `save_weights_external` saved."""
        return self._ask(
            get_external_weights_urls.request(**_route(tinker_path)), {"path": tinker_path}
        )

    def download_checkpoint(
        self,
        tinker_path: str,
        output_dir: str | Path = ".",
        *,
        overwrite: bool = False,
        progress: ProgressCallback | bool | None = None,
    ) -> APIFuture[Path]:
        """Download the files of a checkpoint into a folder of their own; returns the folder.

        A download that was interrupted resumes where it stopped. Checksums are verified where the server gives
        them. Memory does not grow with the files.

        Args:
            tinker_path: Of any kind of checkpoint.
            output_dir: Where to make the folder, which is named for run and checkpoint.
            overwrite: Replace an existing folder.
            progress: True shows a line on stderr, if that is a terminal. A function is called with the bytes received and
                the total, None if unknown.

        Raises:
            FileExistsError: The folder exists, and `overwrite` is not set.
            TinkerError: The files are damaged, or the server cannot provide them.
        """
        what = Progress("download_checkpoint", {"path": tinker_path})
        return APIFuture.start(
            download(
                self.session,
                _route(tinker_path),
                tinker_path,
                Path(output_dir),
                overwrite=overwrite,
                progress=what,
                told=progress,
            ),
            what,
            session=self.session,
            cancellable=True,
        )

    # ---- external weights -------------------------------------------------------------------

    def external_weights_upload_start(
        self,
        base_model: str,
        lora_config: types.LoraConfig,
        destination_project_id: str | None = None,
    ) -> APIFuture[types.ExternalWeightsUploadStartResult]:
        """Begin to upload an adapter; experimental, and not offered by every server.

        Put each file with `UploadURL.upload`, then call `external_weights_upload_finish`.
        `upload_external_weights` does all three.

        Args:
            base_model: A name from `get_server_capabilities`.
            lora_config: The adapter: its rank, and what it adapts.
            destination_project_id: The project of the checkpoint.
        """
        arguments_module.check_text("base_model", base_model)
        request = models.ExternalWeightsUploadStartRequest(
            base_model=base_model,
            lora_config=lora_config,
            destination_project_id=destination_project_id,
        )
        progress = Progress("external_weights_upload_start", {"base_model": base_model})
        return APIFuture.start(
            upload_module.start(self.session, request, progress), progress, session=self.session
        )

    def external_weights_upload_finish(
        self, upload_id: str
    ) -> APIFuture[types.ExternalWeightsUploadFinishResult]:
        """Make a checkpoint of the uploaded files.

        Raises:
            BadRequestError: The files are not what they should be; the message lists what is wrong.
        """
        arguments_module.check_text("upload_id", upload_id)
        progress = Progress("external_weights_upload_finish", {"upload_id": upload_id})

        async def finish() -> types.ExternalWeightsUploadFinishResult:
            path = await upload_module.finish(self.session, upload_id, progress)
            return types.ExternalWeightsUploadFinishResult(tinker_path=path)

        return APIFuture.start(finish(), progress, session=self.session)

    def upload_external_weights(
        self,
        path: str | Path,
        base_model: str | None = None,
        lora_config: types.LoraConfig | None = None,
        *,
        destination_project_id: str | None = None,
        progress: ProgressCallback | bool | None = None,
        resume: types.ExternalWeightsUploadStartResult | None = None,
    ) -> APIFuture[str]:
        """Upload an adapter in PEFT's form; gives the tinker path of the checkpoint.

        The files are checked before anything is sent, and streamed from disk.

        Args:
            path: A folder with `adapter_config.json` and `adapter_model.safetensors`, or a tar archive of them.
            base_model: A name from `get_server_capabilities`; None takes the one in `adapter_config.json`.
            lora_config: The adapter; None uses what the files contain.
            destination_project_id: The project of the checkpoint.
            progress: True shows a line on stderr, if that is a terminal. A function is called with the bytes that were
                sent and those there are.
            resume: The `upload` of an `UploadInterruptedError`: sends only what is still missing.

        Raises:
            FileNotFoundError: A file is missing.
            ValueError: A file is not what it should be.
            UploadInterruptedError: Sending failed, after retries.
            BadRequestError: The server finds something wrong; the message lists it.
        """
        what = Progress("upload_external_weights", {"path": str(path)})
        return APIFuture.start(
            upload_module.upload(
                self.session,
                Path(path),
                base_model,
                lora_config,
                destination_project_id,
                what,
                progress,
                resume,
            ),
            what,
            session=self.session,
            cancellable=True,
        )

    # ---- sessions ---------------------------------------------------------------------------

    def list_sessions(
        self, limit: int = 20, offset: int = 0, access_scope: AccessScope = "owned"
    ) -> APIFuture[types.ListSessionsResponse]:
        """A page of session ids, newest first. `iter_sessions` gives all."""
        arguments_module.check_page(limit, offset)
        arguments_module.check_scope(access_scope)
        return self._ask(
            list_sessions.request(limit=limit, offset=offset, access_scope=access_scope)
        )

    def iter_sessions(self, access_scope: AccessScope = "owned") -> Items[str]:
        """The ids of all sessions, newest first, read page by page as you iterate."""
        arguments_module.check_scope(access_scope)

        async def page(offset: int, limit: int) -> list[str]:
            return (await self.list_sessions(limit, offset, access_scope)).sessions

        return Items(lambda: pages(page, lambda session_id: session_id, _PAGE))

    def get_session(
        self, session_id: str, access_scope: AccessScope = "owned"
    ) -> APIFuture[types.GetSessionResponse]:
        """The training runs and samplers of a session."""
        arguments_module.check_text("session_id", session_id)
        arguments_module.check_scope(access_scope)
        return self._ask_in_scope(
            get_session.request(session_id=session_id, access_scope=access_scope),
            {"session_id": session_id},
            access_scope,
        )

    def search_sessions(
        self, request: types.SessionSearchRequest
    ) -> APIFuture[types.SessionSearchResponse]:
        """A page of the sessions that match all filters, newest first. `iter_search_sessions` gives all."""
        return self._ask(search_sessions.request(body=request))

    def iter_search_sessions(
        self, request: types.SessionSearchRequest
    ) -> Items[types.SessionSummary]:
        """All matching sessions, newest first, read page by page as you iterate."""

        return Items(lambda: by_cursor(self.search_sessions, request, lambda one: one.sessions))

    def assign_session_project(self, session_id: str, project_id: str) -> APIFuture[None]:
        """Move a session, with its runs and checkpoints, to a project."""
        arguments_module.check_text("session_id", session_id)
        arguments_module.check_text("project_id", project_id)
        body = models.AssignSessionProjectRequest(project_id=project_id)
        return APIFuture.start(
            self._call(
                assign_session_project.request(session_id=session_id, body=body),
                Progress("assign_session_project", {"session_id": session_id}),
            ),
            session=self.session,
        )

    def export_session_trace(self, session_id: str) -> APIFuture[str]:
        """The URL of a trace of a session; waits until the server has written it."""
        arguments_module.check_text("session_id", session_id)
        progress = Progress("export_session_trace", {"session_id": session_id})
        request = export_session_trace.request(session_id=session_id)

        async def export() -> str:
            with self.session.watched(progress):
                await self.session.ready()
                while True:
                    response = await self.session.connection.fetch(request, progress)
                    if response.status != "pending":
                        break
                    progress.doing = "waiting for the server to write the file"
                    await asyncio.sleep(_TRACE_INTERVAL)
            if response.status == "failed" or not response.url:
                why = response.error or "the server gave no reason"
                raise TinkerError(f"{progress.name()} failed: {why}.")
            return response.url

        return APIFuture.start(export(), progress, session=self.session, cancellable=True)

    # ---- the server and the user ------------------------------------------------------------

    def get_sampler(self, sampler_id: str) -> APIFuture[types.GetSamplerResponse]:
        """The base model behind a sampler, and its checkpoint if there is one."""
        arguments_module.check_text("sampler_id", sampler_id)
        return self._ask(get_sampler.request(sampler_id=sampler_id), {"sampler_id": sampler_id})

    def get_server_capabilities(self) -> APIFuture[types.GetServerCapabilitiesResponse]:
        """The models the server offers."""
        return self._ask(get_server_capabilities.request())

    def whoami(self) -> APIFuture[types.WhoamiResponse]:
        """The owner of this credential, from its JWT or from the server."""

        return APIFuture.start(whoami(self.session), session=self.session)

    def _check_accessible(self) -> None:
        async def check() -> None:
            await self.session.connection.call(
                get_server_capabilities.request(),
                Progress("get_server_capabilities"),
                policy=NEVER,
            )

        APIFuture.start(check(), session=self.session).result()

    # ---- older names ------------------------------------------------------------------------

    assign_session_project_async = awaited(assign_session_project)
    copy_weights_async = awaited(copy_weights)
    delete_checkpoint_async = awaited(delete_checkpoint)
    delete_checkpoint_from_tinker_path_async = awaited(delete_checkpoint_from_tinker_path)
    export_session_trace_async = awaited(export_session_trace)
    get_external_weights_urls_async = awaited(get_external_weights_urls)
    get_sampler_async = awaited(get_sampler)
    get_session_async = awaited(get_session)
    get_training_run_async = awaited(get_training_run)
    get_training_run_by_tinker_path_async = awaited(get_training_run_by_tinker_path)
    list_checkpoints_async = awaited(list_checkpoints)
    list_sessions_async = awaited(list_sessions)
    list_training_runs_async = awaited(list_training_runs)
    list_user_checkpoints_async = awaited(list_user_checkpoints)
    publish_checkpoint_from_tinker_path_async = awaited(publish_checkpoint_from_tinker_path)
    set_checkpoint_ttl_from_tinker_path_async = awaited(set_checkpoint_ttl_from_tinker_path)
    unpublish_checkpoint_from_tinker_path_async = awaited(unpublish_checkpoint_from_tinker_path)

    # ---- the wire ---------------------------------------------------------------------------

    def _ask(self, request: Request[T], ids: Mapping[str, str] | None = None) -> APIFuture[T]:
        progress = Progress(request.operation, dict(ids or {}))
        return APIFuture.start(
            self.session.fetch(request, progress), progress, session=self.session, cancellable=True
        )

    def _ask_in_scope(
        self, request: Request[T], ids: Mapping[str, str], access_scope: AccessScope
    ) -> APIFuture[T]:
        progress = Progress(request.operation, dict(ids))

        async def ask() -> T:
            try:
                return await self.session.fetch(request, progress)
            except PermissionDeniedError as error:
                if access_scope == "owned":
                    error.message = (
                        f"{error.message.rstrip('.')}. Another owner's published checkpoints are found with "
                        "access_scope='accessible'"
                    )
                    error.args = (error.message,)
                raise

        return APIFuture.start(ask(), progress, session=self.session, cancellable=True)

    def _do(self, request: Request[T], tinker_path: str) -> APIFuture[None]:
        """Do something to a checkpoint; what a success returns does not matter."""
        progress = Progress(request.operation, {"path": tinker_path})
        return APIFuture.start(self._call(request, progress), progress, session=self.session)

    async def _call(self, request: Request[T], progress: Progress) -> None:
        with self.session.watched(progress):
            await self.session.ready()
            await self.session.connection.call(request, progress)


def _parsed(tinker_path: str) -> types.ParsedCheckpointTinkerPath:
    arguments_module.check_tinker_path(tinker_path)
    return types.ParsedCheckpointTinkerPath.from_tinker_path(tinker_path)


def _route(tinker_path: str) -> CheckpointRoute:
    """A tinker path as the parameters of a route."""
    parsed = _parsed(tinker_path)
    kind, _, name = parsed.checkpoint_id.partition("/")
    return {
        "training_run_id": parsed.training_run_id,
        "kind": check_checkpoint_kind(kind),
        "name": name,
    }
