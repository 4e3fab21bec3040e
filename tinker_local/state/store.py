"""The durable state of the server, in SQLite.

One connection, one lock, short transactions. A request is committed before the server returns its promise; a result
is committed together with its state. Uncommitted work does not count: after a crash, pending requests are executed
from the last committed state.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from tinker_local.state import disk
from tinker_local.state.folder import DATABASE, DataFolder, DataFolderError
from tinker_local.state.schema import SCHEMA, VERSION

_MAX_JOURNAL_PAGES = 65536
"""A commit itself moves the journal into the database only if it has this many pages, 256 MB: see `Store.flush`."""

PENDING, DONE, FAILED, DROPPED = "pending", "done", "failed", "dropped"


@frozen
class Request:
    """An operation with a promise. Its body and its result, which can be large, stay in the store."""

    id: str
    target: str
    """The model or sampler it is for."""
    owner: str
    operation: str
    seq_id: int | None
    digest: bytes
    media_type: str
    created: float
    state: str
    finished: float | None
    result_type: str | None
    read: float | None
    """When the result was first read."""
    result_size: int | None


_REQUEST = (
    "id, target, owner, operation, seq_id, digest, media_type, created, state, finished, "
    "result_type, read, length(result)"
)


_DROP = "UPDATE requests SET state = 'dropped', result = NULL WHERE state = 'done'"
"""A dropped result is a 410. Failures, which are small, are kept: they tell how a session ended."""


class Row(dict[str, Any]):
    """A row by column; JSON columns are decoded."""


class Store:
    """The database in a folder. For use from any thread.

    Args:
        clock: Seconds since 1970; used for all times of the server.

    Raises:
        DataFolderError: The folder's database is not one of this version.
    """

    def __init__(self, folder: DataFolder, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._after_commit: list[Callable[[], None]] = []
        self.on_use: Callable[[str, float], None] = lambda kind, amount: None
        """Called with usage that is counted."""
        file = folder.path / DATABASE
        self._file = file
        self._lock = threading.RLock()
        self._flushing = threading.Lock()
        self._flushed: int | None = 0
        """The number of changes that are in the database; None once it is closed."""
        try:
            self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            folder.release()
            raise DataFolderError(f"{file} cannot be used: {error}") from None
        self._connection.row_factory = sqlite3.Row
        try:
            self._check_own()
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_MAX_JOURNAL_PAGES}")
            # In one transaction: a server that is killed here must not leave a part of them.
            self._connection.executescript(
                f"BEGIN; {SCHEMA}; PRAGMA user_version = {VERSION}; COMMIT"
            )
        except DataFolderError:
            self.close()
            raise
        except sqlite3.Error as error:
            self.close()
            raise DataFolderError(f"{file} cannot be used: {error}") from None

    def _check_own(self) -> None:
        """Reject, before anything is written, a database that is not this server's."""
        names = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
        if not names:  # new, or everything was in a lost journal
            self._folder.check_new()
            return
        if "sessions" not in names or "requests" not in names:
            raise sqlite3.DatabaseError("it is not a database of this server")
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise sqlite3.DatabaseError("another version of this server made it")

    @property
    def folder(self) -> Path:
        return self._folder.path

    def now(self) -> float:
        """The time, rounded to microseconds, so that it survives conversion to RFC 3339 and back."""
        return round(self._clock(), 6)

    def close(self) -> None:
        """Close the database, and release the folder."""
        with self._flushing, self._lock:
            self._connection.close()
            self._flushed = None
        self._folder.release()

    def flush(self) -> None:
        """Move what was committed from the journal into the database, for which SQLite waits for the disk.

        For a thread of its own: commits, which serve requests, do not wait.
        """
        with self._flushing:
            if self._flushed is None or self._flushed == self._connection.total_changes:
                return
            changes = self._connection.total_changes
            with contextlib.closing(sqlite3.connect(self._file)) as own, disk.unless_full():
                own.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._flushed = changes

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything that the block writes at its end, or nothing.

        A nested transaction is a part of the outer one, which may go on without it if it fails.
        """
        with self._lock:
            is_nested, planned = self._connection.in_transaction, len(self._after_commit)
            self._connection.execute("SAVEPOINT nested" if is_nested else "BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("RELEASE nested" if is_nested else "COMMIT")
            except BaseException:
                del self._after_commit[planned:]
                if self._connection.in_transaction:  # some errors of SQLite have ended it
                    self._connection.execute("ROLLBACK TO nested" if is_nested else "ROLLBACK")
                    if is_nested:  # it still stands, and an outer one of its name is hidden
                        self._connection.execute("RELEASE nested")
                raise
            if is_nested:
                return
            after, self._after_commit = self._after_commit, []
        for run in after:
            run()

    def try_to_write(self) -> None:
        """Check that the database can be written; raises if not."""
        self.write(f"PRAGMA user_version = {VERSION}")

    def after_commit(self, run: Callable[[], None]) -> None:
        """Call a function after the commit, such as one that deletes files that are no longer referenced."""
        with self._lock:
            if self._connection.in_transaction:
                self._after_commit.append(run)
                return
        run()

    # ---- rows -------------------------------------------------------------------------------

    def get(self, table: str, key: str) -> Row | None:
        """The row with this primary key."""
        column = "path" if table == "checkpoints" else "id"
        rows = self.select(f"SELECT * FROM {table} WHERE {column} = ?", key)
        return rows[0] if rows else None

    def select(self, query: str, *values: Any) -> list[Row]:
        with self._lock:
            rows = self._connection.execute(query, values).fetchall()
        return [_decoded(row) for row in rows]

    def tuples(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, not decoded."""
        with self._lock:
            cursor = self._connection.cursor()
            cursor.row_factory = None
            return cursor.execute(query, values).fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """Execute a statement; returns how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def insert(self, table: str, **columns: Any) -> None:
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        values = [_encoded(value) for value in columns.values()]
        self.write(f"INSERT INTO {table} ({names}) VALUES ({marks})", *values)

    def set_facts(self, table: str, key: str, facts: dict[str, Any]) -> None:
        self.write(f"UPDATE {table} SET facts = ? WHERE id = ?", json.dumps(facts), key)

    def finish_session(self, session_id: str, finish: dict[str, Any]) -> None:
        self.write("UPDATE sessions SET finish = ? WHERE id = ?", json.dumps(finish), session_id)

    def note(
        self,
        kind: str,
        event: str,
        actor: str,
        facts: dict[str, Any],
        *,
        model_id: str | None = None,
        path: str | None = None,
    ) -> None:
        """Write an entry into the audit log."""
        self.insert(
            "audit",
            time=self.now(),
            kind=kind,
            event=event,
            actor=actor,
            model_id=model_id,
            path=path,
            facts=facts,
        )

    # ---- requests ---------------------------------------------------------------------------

    def add_request(self, request_id: str, body: bytes, **columns: Any) -> Request:
        """Record a promise."""
        with self.transaction():
            self.insert("requests", id=request_id, created=self.now(), state=PENDING, **columns)
            self.insert("bodies", request_id=request_id, body=body)
            request = self.request(request_id)
        assert request is not None
        return request

    def request(self, request_id: str) -> Request | None:
        with self._lock:
            row = self._connection.execute(
                f"SELECT {_REQUEST} FROM requests WHERE id = ?", (request_id,)
            ).fetchone()
        return Request(*row) if row else None

    def body(self, request_id: str) -> bytes:
        """The body of a request that is pending, or that the log of its model keeps."""
        return self._blob("SELECT body FROM bodies WHERE request_id = ?", request_id)

    def result(self, request_id: str) -> bytes:
        """The result of a request that is done or failed."""
        return self._blob("SELECT result FROM requests WHERE id = ?", request_id)

    def _blob(self, query: str, key: str) -> bytes:
        with self._lock:
            (blob,) = self._connection.execute(query, (key,)).fetchone()
        assert isinstance(blob, bytes)
        return blob

    def pending(self) -> Sequence[Request]:
        """Requests that wait to be executed, oldest first."""
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {_REQUEST} FROM requests WHERE state = 'pending' ORDER BY rowid"
            ).fetchall()
        return [Request(*row) for row in rows]

    def finish(
        self,
        request_id: str,
        state: str,
        result: bytes,
        result_type: str,
        *,
        started: float | None = None,
        keep_body: bool = False,
    ) -> None:
        """Record a result, and delete the request's body. A request that never began has no `started`."""
        with self.transaction():
            self.write(
                "UPDATE requests SET state = ?, started = ?, finished = ?, result = ?, result_type = ? "
                "WHERE id = ?",
                state,
                started,
                self.now(),
                result,
                result_type,
                request_id,
            )
            if not keep_body:
                self.write("DELETE FROM bodies WHERE request_id = ?", request_id)

    def complete(self, target: str, clone: int, request_id: str, state: str, size: int) -> None:
        """Add a completion to the feed of a sampler."""
        self.insert(
            "completions", target=target, clone=clone, request_id=request_id, state=state, size=size
        )

    def drop_results(self, request_ids: Sequence[str], owner: str) -> None:
        """Drop results that their reader has acknowledged."""
        with self.transaction():
            for request_id in request_ids:
                self.write(f"{_DROP} AND id = ? AND owner = ?", request_id, owner)

    def use(
        self,
        owner: str,
        session_id: str,
        base_model: str,
        kind: str,
        amount: float,
        hour: int | None = None,
    ) -> None:
        """Count usage in an hour, by default the current one."""
        self.on_use(kind, amount)
        self.write(
            "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + ?",
            int(self.now() // 3600) * 3600 if hour is None else hour,
            owner,
            session_id,
            base_model,
            kind,
            amount,
            amount,
        )

    def drop_old_results(self, *, read_before: float, finished_before: float) -> None:
        """Drop results that were read before one time, or finished before another time and never read."""
        self.write(f"{_DROP} AND read < ?", read_before)
        self.write(f"{_DROP} AND read IS NULL AND finished < ?", finished_before)

    def mark_read(self, request_id: str) -> None:
        self.write(
            "UPDATE requests SET read = ? WHERE id = ? AND read IS NULL", self.now(), request_id
        )


_JSON_COLUMNS = frozenset({"facts", "finish"})


def _encoded(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def _decoded(row: sqlite3.Row) -> Row:
    return Row(
        (name, json.loads(row[name]) if name in _JSON_COLUMNS and row[name] else row[name])
        for name in row.keys()  # noqa: SIM118  # a sqlite3.Row iterates over values
    )
