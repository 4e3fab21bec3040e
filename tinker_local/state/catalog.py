"""The checkpoints with their owners and expiries: rows of the store, and the files behind them.

A checkpoint exists while its row does. Files are written before their row and deleted after it, so a crash in
between leaves only files that nobody sees; the next start removes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from tinker_local.errors import Refusal
from tinker_local.state.checkpoints import CheckpointFiles, Location, parse
from tinker_local.state.folder import CHECKPOINTS
from tinker_local.state.store import Row, Store
from tinker_local.times import timestamp

TYPES = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
LIVE = "(expires IS NULL OR expires > ?)"
"""SQL condition: a checkpoint has not expired at the bound time."""


class Catalog:
    """For use from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.files = CheckpointFiles(store.folder / CHECKPOINTS, self._name)
        self.expire()

    # ---- reading ----------------------------------------------------------------------------

    def get(self, path: str) -> Row | None:
        """A checkpoint that has not expired; an expired one is deleted."""
        row = self._store.get("checkpoints", path)
        if row is not None and row["expires"] is not None and row["expires"] <= self._store.now():
            self.delete(row, "checkpoint_expired")
            return None
        return row

    def readable(self, path: str, user: str, *, may_be_early: bool = False) -> Row:
        """A checkpoint that belongs to the user or is public. Raises 400, 404, 403, or 425 where the operation allows it."""
        location = parse(path)
        if location is None:
            raise Refusal(400, f"Invalid checkpoint tinker path: {path}")
        row = self.get(path)
        if row is None:
            if may_be_early and self._is_being_saved(location, user):
                raise Refusal(425, "Checkpoint is still being created")
            raise Refusal(404, f"Unknown checkpoint: {path}")
        if not may_read(row, user):
            raise Refusal(403, "You do not have access to this checkpoint")
        return row

    def own(self, path: str, user: str) -> Row:
        """A checkpoint that belongs to the user."""
        row = self.readable(path, user, may_be_early=True)
        if row["owner"] != user:
            raise Refusal(403, "You do not have access to this checkpoint")
        return row

    def _is_being_saved(self, location: Location, user: str) -> bool:
        query = """SELECT operation, body FROM requests JOIN bodies ON request_id = id
            WHERE target = ? AND owner = ? AND state = 'pending'"""
        return any(
            SAVES.get(row["operation"]) == location.kind
            and orjson.loads(row["body"]).get("path") == location.name
            for row in self._store.select(query, location.model_id, user)
        )

    def of_model(self, model_id: str, user: str) -> list[Row]:
        """The checkpoints of a training run that the user may read, newest first."""
        query, *values = self.query_of_model(model_id, user)
        return self._store.select(query, *values)

    def query_of_model(self, model_id: str, user: str) -> tuple[Any, ...]:
        """The query of `of_model`, and its values."""
        query = f"model_id = ? AND (owner = ? OR public) AND {LIVE}"
        return _newest_first(query), model_id, user, self._store.now()

    def query_of_user(self, user: str) -> tuple[Any, ...]:
        return _newest_first(f"owner = ? AND {LIVE}"), user, self._store.now()

    def all(self) -> list[Row]:
        return self._store.select(f"SELECT * FROM checkpoints WHERE {LIVE}", self._store.now())

    # ---- changing ---------------------------------------------------------------------------

    def add(
        self,
        location: Location,
        folder: str,
        owner: str,
        facts: Mapping[str, Any],
        *,
        ttl_seconds: float | None,
        event: str = "checkpoint_saved",
        **details: Any,
    ) -> None:
        """Record a checkpoint whose files are written; it replaces one of the same name."""
        now = self._store.now()
        with self._store.transaction():
            older = self._store.get("checkpoints", location.path)
            if older is not None:
                self._forget(older)
                details["overwritten"] = True
            self._store.write("DELETE FROM unreferenced WHERE folder = ?", folder)
            self._store.insert(
                "checkpoints",
                path=location.path,
                model_id=location.model_id,
                kind=location.kind,
                name=location.name,
                folder=folder,
                owner=owner,
                created=now,
                expires=None if ttl_seconds is None else now + ttl_seconds,
                size=self.files.size(folder),
                facts=dict(facts),
            )
            self.note(event, owner, location.path, **details)
        if older is not None:
            self._store.after_commit(lambda: self._delete_files(older["folder"]))

    def delete(self, row: Row, event: str = "checkpoint_deleted") -> None:
        """Delete a checkpoint, unless another request just did."""
        with self._store.transaction():
            if not self._forget(row):
                return
            self.note(event, row["owner"], row["path"])
        self._store.after_commit(lambda: self._delete_files(row["folder"]))

    def _forget(self, row: Row) -> bool:
        """Delete the row of exactly this save, and count its storage."""
        query = "DELETE FROM checkpoints WHERE path = ? AND folder = ?"
        if not self._store.write(query, row["path"], row["folder"]):
            return False
        self._name(row["folder"])
        run = self._store.get("models", row["model_id"])
        session_id = "" if run is None else run["session_id"]
        base_model = row["facts"]["base_model"]
        for hour, amount in stored(row, self._store.now()):
            self._store.use(row["owner"], session_id, base_model, "storage", amount, hour)
        return True

    # ---- folders ----------------------------------------------------------------------------

    def _name(self, folder: str) -> None:
        """Record a folder without a checkpoint: its files are about to be written or deleted."""
        self._store.write("INSERT OR IGNORE INTO unreferenced VALUES (?)", folder)

    def _delete_files(self, folder: str) -> None:
        self.files.delete(folder)
        self._store.write("DELETE FROM unreferenced WHERE folder = ?", folder)

    def discard(self, folder: str) -> None:
        """Delete files that were written but are not needed."""
        self._delete_files(folder)

    def delete_unreferenced(self) -> None:
        """Delete the leftovers of a killed process. Only while nothing is being written."""
        for row in self._store.select("SELECT folder FROM unreferenced"):
            self._delete_files(row["folder"])

    def unknown_folders(self) -> list[str]:
        """The folders of saves that the database does not name."""
        query = "SELECT folder FROM checkpoints UNION SELECT folder FROM unreferenced"
        known = {row["folder"] for row in self._store.select(query)}
        return [folder for folder in self.files.folders() if folder not in known]

    def expire(self) -> None:
        """Delete expired checkpoints."""
        query = "SELECT * FROM checkpoints WHERE expires <= ?"
        for row in self._store.select(query, self._store.now()):
            self.delete(row, "checkpoint_expired")

    def publish(self, row: Row, public: bool) -> None:
        if bool(row["public"]) is public:
            raise Refusal(409, f"{row['path']} is {'public' if public else 'private'} already")
        with self._store.transaction():
            self._store.write(
                "UPDATE checkpoints SET public = ? WHERE path = ?", int(public), row["path"]
            )
            event = "checkpoint_published" if public else "checkpoint_unpublished"
            self.note(event, row["owner"], row["path"])

    def set_ttl(self, row: Row, seconds: float | None) -> None:
        expires = None if seconds is None else self._store.now() + seconds
        with self._store.transaction():
            self._store.write(
                "UPDATE checkpoints SET expires = ? WHERE path = ?", expires, row["path"]
            )
            self.note("checkpoint_ttl_set", row["owner"], row["path"], ttl_seconds=seconds)

    # ---- files ------------------------------------------------------------------------------

    def file(self, row: Row, name: str) -> Path:
        """A file of a checkpoint; 404 if it has none of that name."""
        file = self.files.files(row["folder"]).get(name)
        if file is None:
            raise Refusal(404, f"{row['path']} has no file {name}")
        return file

    # ---- the audit log ----------------------------------------------------------------------

    def note(self, event: str, actor: str, path: str, **details: Any) -> None:
        """Write an event about a checkpoint into the audit log."""
        location = parse(path)
        self._store.note(
            "checkpoints",
            event,
            actor,
            details,
            model_id=None if location is None else location.model_id,
            path=path,
        )


SAVES = {
    "save_weights": "weights",
    "save_weights_for_sampler": "sampler_weights",
    "save_weights_external": "external_weights",
}
"""The operations that save, and what kind of checkpoint."""


def may_read(row: Row, user: str) -> bool:
    return bool(row["owner"] == user or row["public"])


def _newest_first(condition: str) -> str:
    return f"SELECT * FROM checkpoints WHERE {condition} ORDER BY created DESC, path DESC"


def stored(row: Row, until: float) -> Iterator[tuple[int, float]]:
    """The gigabyte-hours of a checkpoint by the hour they fall into."""
    begin = row["created"]
    while begin < until:
        hour = int(begin // 3600) * 3600
        end = min(until, hour + 3600)
        yield hour, row["size"] / 1e9 * (end - begin) / 3600
        begin = end


def described(row: Row) -> dict[str, Any]:
    """The contract's `Checkpoint`."""
    return {
        "checkpoint_id": f"{row['kind']}/{row['name']}",
        "checkpoint_type": TYPES[row["kind"]],
        "time": timestamp(row["created"]),
        "tinker_path": row["path"],
        "size_bytes": row["size"],
        "public": bool(row["public"]),
        "user_metadata": row["facts"].get("user_metadata"),
        "expires_at": None if row["expires"] is None else timestamp(row["expires"]),
        "base_model": row["facts"]["base_model"],
    }
