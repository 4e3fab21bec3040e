"""The adapters of the models: always on disk, and in the engine while they are used.

An adapter can be large, so it is not written at every operation. The requests are a log: one that has changed an
adapter keeps its body. After optimizer steps, another thread writes the adapter to a file, a snapshot, and the
requests that it covers are deleted from the log. To bring an adapter back into the engine, the server loads the last
snapshot and repeats the requests of the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from attrs import asdict, define

from tinker_local.engine.base import Adapter, Engine, EngineError
from tinker_local.errors import OperationFailed
from tinker_local.options import Options
from tinker_local.state.snapshots import Snapshots
from tinker_local.state.store import Request, Store

logger = logging.getLogger("tinker_local")

MAX_ADAPTERS_IN_ENGINE = 16

Commit = Callable[[], None]


@define
class _Live:
    """An adapter in the engine."""

    adapter: Adapter
    log_id: int
    """The last entry of the log that it contains; 0 without any."""
    seconds: float = 0.0
    """Seconds that the operations since the last snapshot took: the time to repeat them."""
    used: float = 0.0


class Adapters:
    """For use on the scheduler's thread, except for `release_idle`.

    Args:
        repeat: Repeats a request, and returns the resulting adapter.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine[Any],
        snapshots: Snapshots,
        options: Options,
        repeat: Callable[[Request], Adapter],
    ) -> None:
        self._store = store
        self._engine = engine
        self._snapshots = snapshots
        self._options = options
        self._repeat = repeat
        self._lock = threading.Lock()
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._repeating: Adapter | None = None
        """The adapter of the operation that is being repeated."""
        self._writer: threading.Thread | None = None
        self._due: OrderedDict[str, tuple[Adapter, int]] = OrderedDict()

    # ---- reading ------------------------------------------------------------------------------

    def get(self, model_id: str) -> Adapter:
        """The adapter of a model; the operation fails without one."""
        if self._repeating is not None:  # an operation of this model
            return self._repeating
        live = self._live.get(model_id) or self._load(model_id)
        self._keep(model_id, live)
        return live.adapter

    def _load(self, model_id: str) -> _Live:
        model = self._store.get("models", model_id)
        rows = self._store.select("SELECT * FROM adapters WHERE model_id = ?", model_id)
        if model is None or not rows:
            why = "is unloaded" if model and model["unloaded"] else "was not created"
            raise OperationFailed(f"The model {model_id} {why}.")
        state = self._snapshots.read(rows[0]["file"])
        live = _Live(self._engine.load(state), rows[0]["log_id"])
        log = self._store.select(
            "SELECT * FROM log WHERE model_id = ? AND id > ? ORDER BY id", model_id, live.log_id
        )
        started = time.monotonic()
        for entry in log:
            request = self._store.request(entry["request_id"])
            assert request is not None, "requests are kept"
            try:
                self._repeating = live.adapter
                live.adapter = self._repeat(request)
            except (EngineError, OperationFailed) as error:
                raise OperationFailed(
                    f"The state of {model_id} cannot be restored: repeating {request.id} failed: {error}",
                    "server",
                ) from None
            finally:
                self._repeating = None
            live.log_id = entry["id"]
        live.seconds = time.monotonic() - started if log else 0.0
        if log:
            logger.info("%s: repeated %d operations in %.1f s", model_id, len(log), live.seconds)
        return live

    def _keep(self, model_id: str, live: _Live) -> None:
        with self._lock:
            live.used = time.monotonic()
            self._live[model_id] = live
            self._live.move_to_end(model_id)
            while len(self._live) > MAX_ADAPTERS_IN_ENGINE:
                self._live.popitem(last=False)

    def release_idle(self) -> None:
        """Release adapters that were not used for a while. From any thread."""
        before = time.monotonic() - self._options.keep_adapter_seconds
        with self._lock:
            for model_id in [key for key, live in self._live.items() if live.used < before]:
                del self._live[model_id]

    def forget(self, model_id: str) -> None:
        with self._lock:
            self._live.pop(model_id, None)

    # ---- changing -----------------------------------------------------------------------------

    def log(self, model_id: str, request_id: str) -> int:
        """Record, inside a commit, that a request has changed an adapter; returns the entry's number."""
        self._store.insert("log", model_id=model_id, request_id=request_id)
        (row,) = self._store.select("SELECT last_insert_rowid() AS id")
        log_id: int = row["id"]
        return log_id

    def changed(
        self, model_id: str, adapter: Adapter, log_id: int | None, *, stepped: bool
    ) -> None:
        """Keep a committed adapter: by this entry of the log, or as a snapshot.

        After an optimizer step it becomes a snapshot if the log would take long to repeat.
        """
        before, seconds = self._live.get(model_id), 0.0
        if log_id is None:
            query = "SELECT log_id FROM adapters WHERE model_id = ?"
            log_id = self._store.select(query, model_id)[0]["log_id"]
        elif before is not None:
            seconds = before.seconds + time.monotonic() - before.used
            if stepped and seconds >= self._options.snapshot_seconds:
                self._write_soon(model_id, adapter, log_id)
                seconds = 0.0
        self._keep(model_id, _Live(adapter, log_id, seconds))

    def replace(self, model_id: str, adapter: Adapter) -> Commit:
        """Write a snapshot now, for changes that the log cannot repeat; returns its commit."""
        file = self._snapshots.write(self._engine.save(adapter))

        def commit() -> None:
            self._record(model_id, file, self.log(model_id, ""))

        return commit

    def create(self, model_id: str, adapter: Adapter) -> Commit:
        """Write the adapter of a new model; the commit makes the model ready."""
        commit = self.replace(model_id, adapter)

        def commit_model() -> None:
            row = self._store.get("models", model_id)
            assert row is not None
            facts = {**row["facts"], "base_model": adapter.base_model, "lora": asdict(adapter.lora)}
            self._store.write(
                "UPDATE models SET ready = 1, facts = ? WHERE id = ?",
                orjson.dumps(facts).decode(),
                model_id,
            )
            self._store.insert("adapters", model_id=model_id, file="", log_id=0)
            commit()

        return commit_model

    def delete(self, model_id: str) -> None:
        """Unload a model, inside a commit."""
        self._store.write("UPDATE models SET unloaded = 1 WHERE id = ?", model_id)
        for row in self._store.select("SELECT file FROM adapters WHERE model_id = ?", model_id):
            self._store.after_commit(partial(self._snapshots.delete, row["file"]))
        self._store.write("DELETE FROM adapters WHERE model_id = ?", model_id)
        self._shorten_log(model_id, 2**62)

    # ---- snapshots ----------------------------------------------------------------------------

    def _write_soon(self, model_id: str, adapter: Adapter, log_id: int) -> None:
        """Write a snapshot on another thread. It replaces one that is still waiting."""
        with self._lock:
            self._due[model_id] = (adapter, log_id)
            if self._writer is None:
                self._writer = threading.Thread(
                    target=self._write_due, name="snapshots", daemon=True
                )
                self._writer.start()

    def _write_due(self) -> None:
        while True:
            with self._lock:
                if not self._due:
                    self._writer = None
                    return
                model_id, (adapter, log_id) = self._due.popitem(last=False)
            try:
                file = self._snapshots.write(self._engine.save(adapter))
                with self._store.transaction():
                    self._record(model_id, file, log_id)
            except Exception:  # such as a full disk; the log still has everything
                logger.exception("Cannot write a snapshot of %s", model_id)

    def _record(self, model_id: str, file: str, log_id: int) -> None:
        """Make a file the snapshot of a model, in place of an earlier one. Its last log entry is `log_id`."""
        rows = self._store.select("SELECT * FROM adapters WHERE model_id = ?", model_id)
        if not rows or log_id < rows[0]["log_id"]:  # unloaded or replaced in the meantime
            self._store.after_commit(partial(self._snapshots.delete, file))
            return
        self._store.write(
            "UPDATE adapters SET file = ?, log_id = ? WHERE model_id = ?", file, log_id, model_id
        )
        self._shorten_log(model_id, log_id)
        if older := rows[0]["file"]:
            self._store.after_commit(partial(self._snapshots.delete, older))

    def _shorten_log(self, model_id: str, log_id: int) -> None:
        entries = "FROM log WHERE model_id = ? AND id <= ?"
        self._store.write(
            f"DELETE FROM bodies WHERE request_id IN (SELECT request_id {entries})",
            model_id,
            log_id,
        )
        self._store.write(f"DELETE {entries}", model_id, log_id)
