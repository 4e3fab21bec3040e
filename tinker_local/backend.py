"""What handlers work with: the store, the scheduler, and the rules both rest on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tinker_local import wire
from tinker_local.checkpoints import CheckpointFiles
from tinker_local.engine.base import Engine
from tinker_local.errors import Refusal
from tinker_local.keys import Keys
from tinker_local.operations import Operations
from tinker_local.scheduler import Job, Scheduler
from tinker_local.store import DONE, FAILED, PENDING, DataFolder, Request, Row, Store


@frozen(kw_only=True)
class Options:
    """How the server behaves in time. The defaults are what users should see."""

    poll_seconds: float = 40.0
    """How long retrieve_future holds a request; clients give up at 45."""
    gap_seconds: float = 60.0
    """How long a seq_id that has not arrived is waited for."""
    keep_read_results_seconds: float = 3600.0
    """How long a result can be asked for again after it was read."""
    metadata_bytes: int = 8 * 2**20
    """From which size on a result is announced first to clients that allow it."""


@frozen
class Call:
    """One request, as handlers see it."""

    user: str
    body: Any
    """The decoded JSON object, its null members left out; or the protobuf message."""
    content: bytes
    """The body as it came, without Content-Encoding."""
    media_type: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]


class Backend:
    """Lives on the event loop."""

    def __init__(self, folder: DataFolder, engine: Engine, keys: Keys, options: Options) -> None:
        self.engine = engine
        self.keys = keys
        self.options = options
        self.store = Store(folder)
        self.operations = Operations(
            self.store, engine, CheckpointFiles(folder.path / "checkpoints")
        )
        self.scheduler = Scheduler(self.operations.execute, gap_seconds=self.options.gap_seconds)
        self._finished = 0
        self._resume()

    def _resume(self) -> None:
        """Go on where the last process stopped, however it stopped."""
        for model in self.store.select("SELECT id, next_seq_id FROM models WHERE unloaded = 0"):
            self.scheduler.model(model["id"], model["next_seq_id"])
        for request in self.store.pending():
            self.scheduler.add(Job(request))

    def close(self) -> None:
        self.scheduler.stop()
        self.scheduler.join(1.0)
        self.store.close()

    # ---- objects ----------------------------------------------------------------------------

    def own(self, table: str, name: str, key: str, user: str) -> Row:
        """The object with this id, if it is there and the user's: else 404 or 403."""
        row = self.store.get(table, key)
        if row is None:
            raise Refusal(404, f"Unknown {name}: {key}")
        if row["owner"] != user:
            raise Refusal(403, f"You do not have access to this {name.removesuffix('_id')}")
        return row

    def open_session(self, session_id: str, user: str) -> Row:
        """A session of the user that is not finished."""
        session = self.own("sessions", "session_id", session_id, user)
        if session["finish"] is not None:
            raise Refusal(410, f"The session {session_id} is finished")
        return session

    def live_model(self, model_id: str, user: str) -> Row:
        """A model of the user that is not unloaded."""
        model = self.own("models", "model_id", model_id, user)
        if model["unloaded"]:
            raise Refusal(404, f"The model {model_id} is unloaded")
        return model

    def check_base_model(self, name: str) -> None:
        if name not in self.engine.models:
            raise Refusal(
                400, f"Unknown base_model {name!r}; on offer: {', '.join(self.engine.models)}"
            )

    # ---- promises ---------------------------------------------------------------------------

    def repeated(self, request_id: str, digest: bytes, what: str) -> bool:
        """Whether this request was promised before; 409 if its number was used by another one."""
        known = self.store.request(request_id)
        if known is None:
            return False
        if known.digest != digest:
            raise Refusal(409, f"{what} was used by a different request")
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
    ) -> None:
        """Record an operation, and queue it. In a transaction of the caller's, if there is one."""
        request = Request(
            id=request_id,
            target=target,
            owner=call.user,
            operation=operation,
            seq_id=seq_id,
            digest=digest,
            media_type=call.media_type,
            body=call.content,
            created=time.time(),
            state=PENDING,
            result=None,
            result_type=None,
            read=None,
        )
        self.store.insert(
            "requests",
            id=request.id,
            target=target,
            owner=request.owner,
            operation=operation,
            seq_id=seq_id,
            digest=digest,
            media_type=request.media_type,
            body=request.body,
            created=request.created,
            state=PENDING,
        )
        # Bodies of waiting requests are not kept in memory: they are decoded again when their turn comes,
        # unless that is soon.
        self.scheduler.add(Job(request, call.body if len(call.content) < 2**20 else None))

    async def result(self, request: Request, seconds: float) -> Request:
        """The request when it is done, or after this time."""
        if request.state == PENDING:
            await self.scheduler.wait(request.id, seconds)
            request = self.store.request(request.id) or request
        if request.state in (DONE, FAILED):
            self.store.mark_read(request.id)
            self._finished += 1
            if self._finished % 256 == 0:
                self.store.drop_read_results(time.time() - self.options.keep_read_results_seconds)
        return request

    def fail(self, request: Request, message: str) -> None:
        """End a request that has not begun."""
        failure = wire.dumps({"error": message, "category": "user"})
        self.store.finish(request.id, FAILED, failure, wire.JSON)
        self.scheduler.done(request.id)


def digest_of(call: Call, *ignored: str) -> bytes:
    """What makes two requests the same: their content, but for these members."""
    if call.media_type == wire.PROTOBUF or len(call.content) > 65536:
        return hashlib.sha256(call.content).digest()
    body = {name: value for name, value in call.body.items() if name not in ignored}
    return hashlib.sha256(wire.dumps(body, sort=True)).digest()
