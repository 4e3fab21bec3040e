"""A client's session with a server: opened on first use, kept alive, finished at the end."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import itertools
import os
import sys
import uuid
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from logging import ERROR, INFO, WARNING
from typing import TYPE_CHECKING, Any, TypeVar

from tinker import _log
from tinker._codec.media_types import JSON, ResultType
from tinker._http import config as configuration, credentials
from tinker._protocol import loop, retry
from tinker._protocol.arguments import metadata
from tinker._protocol.back_pressure import Backpressure
from tinker._protocol.byte_budget import ByteBudget
from tinker._protocol.cancellation import Cancellations
from tinker._protocol.connection import Connection
from tinker._protocol.liveness import FINISH_TIMEOUT, FinishStatus, beat, finish, finish_status
from tinker._protocol.polling import Decoder, poll
from tinker._protocol.progress import Progress, Watch
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE, Traits
from tinker._version import SDK_VERSION
from tinker.errors import TinkerError
from tinker.retry_policy import RetryPolicy
from tinker_api import models
from tinker_api.api.service import client_config, client_dynamic_config
from tinker_api.api.sessions import create_session
from tinker_api.types import Request

if TYPE_CHECKING:
    from tinker._protocol.completions_feed import CompletionsFeed

T = TypeVar("T")
MAX_BYTES_BEING_SENT = 20_000_000
"""Bytes of batches being sent: four chunks of the usual size keep a fast line busy. The server may allow less."""


class Session:
    """What the clients of one `ServiceClient` share: connection, session id, numbers, heartbeat."""

    _is_ours = True
    """Whether closing finishes the session on the server."""

    def __init__(
        self,
        settings: configuration.Settings,
        *,
        user_metadata: Mapping[str, str] | None = None,
        project_id: str | None = None,
        display_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.settings = settings
        self.headers = configuration.check_headers(headers or {})
        self.connection = Connection(settings, self.headers, policy)
        self.telemetry = self.connection.telemetry
        self.traits = Traits()
        self.watch = Watch()
        self.config = models.ClientConfigResponse()
        self.model_numbers = itertools.count()
        self.sampler_numbers = itertools.count()
        self.loss_numbers = itertools.count()
        self.tokenizer_ids: dict[str | None, str | None] = {}
        """Names of tokenizers from the server, by base model."""
        self.backpressure = Backpressure(
            self.config.sample_dispatch_bytes_semaphore_size, self.telemetry
        )
        self.byte_budget = ByteBudget(self.config.inflight_response_bytes_semaphore_size)
        self.sending = ByteBudget(MAX_BYTES_BEING_SENT)
        self.cancellations = Cancellations(self.connection)
        self.feeds: weakref.WeakSet[CompletionsFeed] = weakref.WeakSet()
        self._user_metadata = metadata(user_metadata or {})
        self.project_id = project_id or os.environ.get("TINKER_PROJECT_ID")
        self._display_name = display_name
        self._key = str(uuid.uuid4())
        """Lets the server recognize a retried create_session whose response was lost."""
        self._configuring: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[str] | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self._adopted: dict[str, asyncio.Task[None]] = {}
        self._to_finish: list[str] = []
        self.at_end: list[Callable[[], None]] = []
        """What is done when the session has ended."""
        self._pid: int | None = None
        """The process that uses the session; set on first use."""
        self._is_closing = False
        self._is_closed = False
        self._end: asyncio.Task[None] | None = None
        # Runs before handlers that were registered earlier, such as the one that ends a server inside this process.
        atexit.unregister(_finish_all)
        atexit.register(_finish_all)

    @property
    def is_of_this_process(self) -> bool:
        """False in a forked process that inherited a session in use."""
        return self._pid in (None, os.getpid())

    def check_open(self) -> None:
        """Raise if no new operation may begin. From any thread."""
        if not self.is_of_this_process:
            raise TinkerError(
                f"This client belongs to process {self._pid}, from which this one was forked, and two processes "
                "cannot share its session. Create a ServiceClient in this process, and a TrainingClient from a "
                "checkpoint; a SamplingClient can be used as it is."
            )
        # Operations under way may continue while a close waits for them.
        if self._is_closed or (self._is_closing and not loop.is_current_thread()):
            raise TinkerError("The client is closed: create a new ServiceClient.")
        if self._pid is None:
            self._pid = os.getpid()
            _open_sessions[weakref.ref(self, _forget)] = None

    # ---- opening ----------------------------------------------------------------------------

    async def id(self) -> str:
        """The session's id; opens the session on first use, and again after a failure."""
        self.check_open()
        task = self._opening
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._opening = asyncio.get_running_loop().create_task(self._open())
        return await asyncio.shield(task)

    @property
    def known_id(self) -> str | None:
        """The session's id; None if it was not opened."""
        task = self._opening
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    async def _open(self) -> str:
        progress = Progress("create_session")
        await self.ready()
        request = create_session.request(
            x_idempotency_key=self._key,
            body=models.CreateSessionRequest(
                tags=configuration.tags(),
                user_metadata=self._user_metadata,
                sdk_version=SDK_VERSION,
                project_id=self.project_id,
                display_name=self._display_name,
            ),
        )
        response = await self.connection.fetch(request, progress, policy=retry.CREATION)
        for level, message in (
            (INFO, response.info_message),
            (WARNING, response.warning_message),
            (ERROR, response.error_message),
        ):
            if message:
                _log.SERVER_MESSAGE(level, text=message)
        self._keep_alive(response.session_id)
        return response.session_id

    def _keep_alive(self, session_id: str) -> None:
        self._heartbeat = asyncio.get_running_loop().create_task(
            beat(weakref.ref(self), self.connection, session_id, ours=self._is_ours),
            context=contextvars.Context(),  # not part of what has opened the session
        )

    async def adopt(self, session_id: str, *, finish: bool) -> None:
        """Keep another session alive as long as this one, because a run of it goes on here.

        Args:
            session_id: The session.
            finish: Whether to finish it with this one: nobody else uses it any more.
        """
        if session_id == self.known_id or session_id in self._adopted:
            return
        self._adopted[session_id] = asyncio.get_running_loop().create_task(
            beat(weakref.ref(self), self.connection, session_id, ours=finish, tell_end=False),
            context=contextvars.Context(),
        )
        if finish:
            self._to_finish.append(session_id)

    async def ready(self) -> None:
        """Read the server's settings on first use."""
        self.check_open()
        task = self._configuring
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            reading = self._read_config(Progress("client_config"))
            task = self._configuring = asyncio.get_running_loop().create_task(reading)
        await asyncio.shield(task)

    async def fetch(self, request: Request[T], progress: Progress) -> T:
        """`Connection.fetch`, after the settings are read; it opens no session."""
        with self.watched(progress):
            await self.ready()
            return await self.connection.fetch(request, progress)

    async def _read_config(self, progress: Progress) -> None:
        """Read the server's settings; without the routes, use the defaults."""
        body = models.ClientConfigRequest(sdk_version=SDK_VERSION)
        connection = self.connection
        response = await connection.call(
            client_config.request(body=body), progress, passed=REFUSALS_OF_A_ROUTE
        )
        self.traits.has_client_config = response.status_code < 300
        if self.traits.has_client_config:
            self.config = connection.parse(response, progress)
        if self.config.credential_default_source == "credential_cmd" and credentials.command():
            connection.take_from_command()
        if self.config.pjwt_auth_enabled:
            connection.exchange_for_jwt()
        dynamic = await connection.call(
            client_dynamic_config.request(body=body), progress, passed=REFUSALS_OF_A_ROUTE
        )
        if dynamic.status_code < 300:
            self.cancellations.config = connection.parse(dynamic, progress)
        config = self.config
        self.byte_budget.limit = config.inflight_response_bytes_semaphore_size
        self.sending.limit = min(config.fwdbwd_dispatch_bytes_semaphore_size, MAX_BYTES_BEING_SENT)
        self.backpressure.byte_budget.limit = config.sample_dispatch_bytes_semaphore_size
        self.connection.billing_budget = config.billing_exception_max_pause_duration_sec
        self.backpressure.billing_budget = config.billing_exception_max_pause_duration_sec

    # ---- operations -------------------------------------------------------------------------

    def result(
        self,
        promise: models.UntypedAPIFuture,
        decode: Decoder[T],
        progress: Progress,
        *,
        kind: str,
        accept: ResultType = JSON,
        size: int | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Poll for the result of a promise.

        Args:
            promise: The promise.
            decode: Decodes the result from its response.
            progress: The operation it belongs to.
            kind: Name of the operation, for the header of the poll.
            accept: The encodings that `decode` accepts.
            size: Size of the result in bytes, if it is known to be ready.
        """
        progress.request_ids.append(promise.request_id)
        return poll(
            self.connection,
            promise.request_id,
            decode,
            progress,
            kind=kind,
            accept=accept,
            byte_budget=self.byte_budget,
            size=size,
        )

    def watched(self, progress: Progress) -> contextlib.AbstractContextManager[Progress]:
        """Report the operation while the block runs, if it takes long. Its deadline comes from the policy."""
        progress.deadline = self.connection.policy.deadline
        return self.watch.watched(progress)

    # ---- the end ----------------------------------------------------------------------------

    def close(self) -> Future[None]:
        """As `ServiceClient.close()`. Tools for the official SDK call it on the `holder`."""
        return loop.submit(self.end("success"))

    def end(
        self, status: FinishStatus, detail: str | None = None, *, wait: bool = False
    ) -> Coroutine[Any, Any, None]:
        """Reject new operations at once. The returned coroutine ends those under way, the session and the connections.

        Args:
            status: How the work ended. If operations are lost that the server has not accepted, the log names them, and
                a success becomes `interrupted`.
            detail: More about the reason, in a sentence.
            wait: Whether to wait for the operations under way; otherwise they fail.
        """
        self._is_closing = True
        return self._close(status, detail, wait)

    async def _close(self, status: FinishStatus, detail: str | None, wait: bool) -> None:
        if not self.is_of_this_process:
            return  # the parent closes it
        if wait:
            while under_way := loop.operations(self):
                tasks = {one.task for one in under_way if one.task is not None}
                await (asyncio.wait(tasks) if tasks else asyncio.sleep(0))
        self._is_closed = True
        if self._end is None:
            ending = self._end_with(status, detail)
            self._end = asyncio.get_running_loop().create_task(ending)
        await asyncio.shield(self._end)

    async def _end_with(self, status: FinishStatus, detail: str | None) -> None:
        if status == "success" and (unsent := self._unsent()):
            status, lost = "interrupted", _listed(unsent)
            detail = detail or f"closed before the server had accepted {lost}"
            _log.CLOSED_EARLY(operations=lost)
        await self._abandon()
        await self._finish(status, detail)

    async def _abandon(self) -> None:
        """Fail the operations under way."""
        under_way = loop.operations(self)
        for operation in under_way:
            name = operation.progress.name() if operation.progress else "The operation"
            operation.fail(TinkerError(f"{name} was not done when the client was closed."))
        if tasks := {one.task for one in under_way if one.task is not None}:
            await asyncio.wait(tasks, timeout=FINISH_TIMEOUT)

    def _unsent(self) -> list[Progress]:
        """Operations that change something and that the server has not accepted, or only in part."""
        found = [
            operation.progress
            for operation in loop.operations(self)
            if operation.progress is not None
            and not operation.cancellable
            and len(operation.progress.request_ids) < max(1, len(operation.progress.seq_ids))
        ]
        return list({id(progress): progress for progress in found}.values())

    async def _finish(self, status: FinishStatus, detail: str | None) -> None:
        """Finish the session, if it is open, and close the connections."""
        _forget(weakref.ref(self))
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        for adopted in self._adopted.values():
            adopted.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_TIMEOUT):
                feeds = [feed.close() for feed in self.feeds]
                await asyncio.gather(self.cancellations.flush(), *feeds)
                # A session that the server has opened must be finished.
                if self._opening is not None:
                    await asyncio.wait({self._opening})
        for task in (self._opening, self._configuring):
            if task is not None and not task.done():
                task.cancel()
        if (session_id := self.known_id) is not None and self._is_ours:
            await finish(self.connection, session_id, status, detail)
        for session_id in self._to_finish:
            await finish(self.connection, session_id, status, detail)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        await self.connection.close()
        for run in self.at_end:
            run()


def _listed(progresses: Sequence[Progress]) -> str:
    """The names of operations, on one line."""
    shown = ", ".join(progress.name() for progress in progresses[:3])
    more = len(progresses) - 3
    return f"{shown} and {more} more" if more > 0 else shown


_open_sessions: dict[weakref.ref[Session], None] = {}
"""Not a WeakSet: iteration over that fails when another thread adds to it."""


def _forget(session: weakref.ref[Session]) -> None:
    _open_sessions.pop(session, None)


def open_sessions() -> list[Session]:
    """The sessions in use in this process. From any thread."""
    found = [reference() for reference in tuple(_open_sessions)]
    return [session for session in found if session is not None]


def describe(client: object, name: str = "") -> str:
    """The `repr` of a client, also of one whose construction failed."""
    session: Session | None = getattr(client, "holder", None)
    place = session.settings.base_url if session is not None else "(construction failed)"
    return f"<{type(client).__name__} {f'{name} on ' if name else ''}{place}>"


def _finish_all() -> None:
    """At the interpreter's exit, finish the sessions that `with` or `close` has not finished."""
    sessions = open_sessions()
    if not sessions:
        return
    status = finish_status(getattr(sys, "last_type", None))
    futures = [loop.submit(session.end(status)) for session in sessions]
    for future in futures:
        with contextlib.suppress(TimeoutError, TinkerError):
            future.result(2 * FINISH_TIMEOUT + 1)


def _forget_after_fork() -> None:
    """In a forked process: leave the parent's sessions to the parent."""
    _open_sessions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
