"""The state that handlers work with: store, scheduler, and the rules for both."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

from attrs import evolve, frozen

from tinker._codec import media_types
from tinker_api import security
from tinker_local.access.keys import Keys, KeysFile
from tinker_local.access.signing import Signer
from tinker_local.engine.base import Engine
from tinker_local.errors import Refusal
from tinker_local.options import Options
from tinker_local.protocol.operations import Operations
from tinker_local.protocol.scheduler import Scheduler
from tinker_local.protocol.wire import bodies
from tinker_local.state import disk, housekeeping
from tinker_local.state.catalog import Catalog
from tinker_local.state.snapshots import Snapshots
from tinker_local.state.store import DONE, DROPPED, FAILED, PENDING, Request, Row, Store

logger = logging.getLogger("tinker_local")

SECONDS_IN_TROUBLE = 2.0
"""Seconds for which a poll is held while nothing can be recorded, so that its reader learns of it soon."""
SECONDS_BETWEEN_FLUSHES = 1.0
"""Seconds between two moves of the database's journal into the database."""


IDEMPOTENCY_KEY = "X-Idempotency-Key"


@frozen
class Call:
    """One request, as handlers see it."""

    user: str
    body: Any
    """The decoded JSON object, its null fields left out; or the protobuf message."""
    content: bytes
    """The body as received, without Content-Encoding."""
    media_type: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, Any]
    """Query parameters, with the contract's types and defaults."""
    base_url: str
    """Base URL of this server for the client, without a trailing slash."""
    stream: AsyncIterator[bytes] | None = None
    """The stream of the body, for an operation that takes bytes."""

    @property
    def credential(self) -> str:
        return self.headers[security.HEADER]

    @property
    def idempotency_key(self) -> str | None:
        """Of all attempts of one call."""
        return self.headers.get(IDEMPOTENCY_KEY)


def reused(what: str) -> Refusal:
    """The refusal of a number or a key that belongs to another request."""
    return Refusal(409, f"{what} was used by a different request")


class Backend:
    """Lives on the event loop."""

    def __init__(self, store: Store, engine: Engine[Any], keys: KeysFile, options: Options) -> None:
        self.engine = engine
        self.options = options
        self.store = store
        self.signer = Signer(store.folder, options.clock)
        self.keys = Keys(keys, store, self.signer)
        self.catalog = Catalog(store)
        self.snapshots = Snapshots(store)
        self.traces = store.folder / "traces"
        for left in self.traces.glob("*.partial"):  # by a server that was killed while it wrote
            left.unlink()
        self.operations = Operations(store, engine, self.catalog, self.snapshots, options)
        self.scheduler = Scheduler(self.operations.execute, gap_seconds=self.options.gap_seconds)
        self.repetitions: Counter[str] = Counter()
        """Number of repeated requests since the server started."""
        self.refused: str | None = None
        """Why requests cannot be recorded; None once recording works again."""
        self._resume()
        self._background = [asyncio.create_task(one()) for one in (self._sweep, self._flush)]

    def _resume(self) -> None:
        """Continue where the last process stopped, however it ended."""
        for model in self.store.select("SELECT id, next_seq_id FROM models"):
            self.scheduler.model(model["id"], model["next_seq_id"])
        for request in self.store.pending():
            self.scheduler.add(request)

    async def _sweep(self) -> None:
        while True:
            try:
                await asyncio.to_thread(
                    housekeeping.sweep,
                    self.store,
                    self.catalog,
                    self.snapshots,
                    self.traces,
                    self.options,
                )
                self.operations.release_idle()
                self._cancel_abandoned()
            except Exception as error:  # the next attempt may succeed
                if isinstance(error, RuntimeError) and "shutdown" in str(error):
                    return  # the interpreter exits, and starts no more threads
                if not disk.reason(error):  # reported elsewhere
                    logger.exception("Cannot delete expired objects")
            await asyncio.sleep(self.options.sweep_seconds)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_FLUSHES)
            with contextlib.suppress(sqlite3.Error, RuntimeError):  # the next attempt may succeed
                await asyncio.to_thread(self.store.flush)

    async def close(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self.scheduler.stop()
        self.scheduler.join(1.0)

    # ---- objects ----------------------------------------------------------------------------

    def own(self, table: str, name: str, key: str, user: str) -> Row:
        """The object with this id. Raises 404 if it does not exist, 403 if it belongs to another user."""
        row = self.store.get(table, key)
        if row is None:
            raise Refusal(404, f"Unknown {name}: {key}")
        if row["owner"] != user:
            raise Refusal(403, f"You do not have access to this {name.removesuffix('_id')}")
        return row

    def open_session(self, session_id: str, user: str) -> Row:
        """An unfinished session of the user."""
        session = self.own("sessions", "session_id", session_id, user)
        if session["finish"] is not None:
            raise Refusal(410, f"The session {session_id} is finished")
        return session

    def live_model(self, model_id: str, user: str) -> Row:
        """A model of the user that is neither unloaded nor about to be."""
        model = self.own("models", "model_id", model_id, user)
        if self.is_unloaded(model):
            raise Refusal(404, f"The model {model_id} is unloaded")
        return model

    def is_unloaded(self, model: Row) -> bool:
        """Whether a model takes no more operations."""
        return bool(model["unloaded"]) or self.store.request(unload_id(model["id"])) is not None

    def check_base_model(self, name: str) -> None:
        if name not in self.engine.models:
            raise Refusal(
                400, f"Unknown base_model {name!r}; available: {', '.join(self.engine.models)}"
            )

    # ---- promises ---------------------------------------------------------------------------

    def repeated(self, request_id: str, digest: bytes, what: str) -> bool:
        """Whether this request already has a promise. Raises 409 if another request used its number."""
        known = self.store.request(request_id)
        if known is None:
            return False
        self.repetitions[request_id] += 1
        if known.digest != digest:
            raise reused(what)
        return True

    def promise(
        self,
        call: Call,
        operation: str,
        target: str,
        request_id: str,
        *,
        seq_id: int | None,
        digest: bytes,
        new_model: Mapping[str, Any] | None = None,
    ) -> None:
        """Record an operation, optionally with the model that it creates, and queue it."""
        with self.store.transaction():
            if new_model is not None:
                self.store.insert("models", id=target, **new_model)
            request = self.store.add_request(
                request_id,
                call.content,
                target=target,
                owner=call.user,
                operation=operation,
                seq_id=seq_id,
                digest=digest,
                media_type=call.media_type,
            )
        if new_model is not None:
            self.scheduler.model(target, 0)
        self.scheduler.add(request)

    async def result(self, request: Request, seconds: float) -> Request:
        """Wait for the request, at most for this time, and return it."""
        if request.state == PENDING:
            if self.scheduler.trouble is not None:
                seconds = min(seconds, SECONDS_IN_TROUBLE)
            await self.scheduler.wait(request.id, seconds)
            request = self.store.request(request.id) or request
        if request.state == DONE and self._is_past(request):  # even if it is not yet deleted
            return evolve(request, state=DROPPED)
        if request.state in (DONE, FAILED) and request.read is None:
            with disk.unless_full():
                self.store.mark_read(request.id)
        return request

    def _is_past(self, request: Request) -> bool:
        now = self.store.now()
        if request.read is not None:
            return request.read < now - self.options.keep_read_results_seconds
        assert request.finished is not None, "it is done"
        return request.finished < now - self.options.keep_unread_results_seconds

    def cancel(self, request: Request, message: str) -> None:
        """End a sample that nobody waits for any more, unless it is finished."""
        current = self.store.request(request.id)
        if request.operation != "asample" or current is None or current.state != PENDING:
            return
        if self.scheduler.cancel(request):
            self.fail(request, message)
        else:  # it is being sampled
            self.operations.cancel(request.id)

    def _cancel_abandoned(self) -> None:
        """End the samples of ended sessions that nobody polls for."""
        silent_since = self.store.now() - self.options.session_seconds
        query = """SELECT 1 FROM samplers JOIN sessions ON sessions.id = session_id
            WHERE samplers.id = ? AND (finish IS NOT NULL OR sessions.seen < ?)"""
        for request in self.scheduler.abandoned(self.options.abandoned_seconds):
            if self.store.select(query, request.target, silent_since):
                self.cancel(request, "Its session has ended, and nobody has polled for it")

    async def trouble(self) -> str | None:
        """Why nothing can be written now; None if writing works."""
        if self.scheduler.trouble is not None:
            return self.scheduler.trouble
        if self.refused is not None:
            try:
                await asyncio.to_thread(self.store.try_to_write)
            except (sqlite3.Error, OSError) as error:
                self.refused = disk.reason(error) or self.refused
            else:
                self.refused = None
        return self.refused

    def fail(self, request: Request, message: str) -> None:
        """End a request that has not begun."""
        failure = bodies.dumps({"error": message, "category": "user"})
        with self.store.transaction():
            self.store.finish(request.id, FAILED, failure, media_types.JSON)
            self.operations.announce(request, FAILED, len(failure))
        self.scheduler.done(request.id)
        self.scheduler.done(request.target)


def unload_id(model_id: str) -> str:
    """The request_id of a model's unloading."""
    return f"{model_id}:unload"


def digest_of(operation: str, call: Call, *ignored: str) -> bytes:
    """A digest by which two requests are equal: operation and content, except for these fields."""
    content = call.content
    if call.media_type == media_types.PROTOBUF:
        # Encoded again: the order of a map's entries differs from one process to another.
        content = call.body.SerializeToString(deterministic=True)
    elif len(content) <= 65536 or ignored:
        # Independent of formatting: a client may write a repeated request differently.
        body = {name: value for name, value in call.body.items() if name not in ignored}
        content = bodies.dumps(body, sort=True)
    return hashlib.sha256(operation.encode() + b"\0" + content).digest()
