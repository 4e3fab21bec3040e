"""Which checkpoints there are, whose they are, and until when: rows of the store and the files behind them.

A checkpoint exists while its row does. The row is deleted first and the files after it, so that a crash in between
leaves files that nobody sees; the next start removes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tinker_local.checkpoints import CheckpointFiles, Location, parse
from tinker_local.errors import Refusal
from tinker_local.store import Row, Store

TYPES = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
_LIVE = "(expires IS NULL OR expires > ?)"
_NEWEST_FIRST = "ORDER BY created DESC, path DESC"


class Catalog:
    """Use from any thread."""

    def __init__(self, store: Store, files: CheckpointFiles) -> None:
        self._store = store
        self.files = files
        self.expire()
        known = {row["path"] for row in store.select("SELECT path FROM checkpoints")}
        for location in files.locations():
            if location.path not in known:
                files.delete(location)

    # ---- reading ----------------------------------------------------------------------------

    def get(self, path: str) -> Row | None:
        """A checkpoint that has not expired."""
        query = f"SELECT * FROM checkpoints WHERE path = ? AND {_LIVE}"
        rows = self._store.select(query, path, time.time())
        return rows[0] if rows else None

    def readable(self, path: str, user: str) -> Row:
        """A checkpoint that is the user's or public: else 400, 404 or 403."""
        if parse(path) is None:
            raise Refusal(400, f"Invalid checkpoint tinker path: {path}")
        row = self.get(path)
        if row is None:
            raise Refusal(404, f"Unknown checkpoint: {path}")
        if row["owner"] != user and not row["public"]:
            raise Refusal(403, "You do not have access to this checkpoint")
        return row

    def own(self, path: str, user: str) -> Row:
        """A checkpoint that is the user's."""
        row = self.readable(path, user)
        if row["owner"] != user:
            raise Refusal(403, "You do not have access to this checkpoint")
        return row

    def of_model(self, model_id: str, user: str) -> list[Row]:
        """Those of a training run that the user may read, newest first."""
        query = f"SELECT * FROM checkpoints WHERE model_id = ? AND {_LIVE} {_NEWEST_FIRST}"
        rows = self._store.select(query, model_id, time.time())
        return [row for row in rows if row["owner"] == user or row["public"]]

    def of_user(self, user: str) -> list[Row]:
        query = f"SELECT * FROM checkpoints WHERE owner = ? AND {_LIVE} {_NEWEST_FIRST}"
        return self._store.select(query, user, time.time())

    def all(self) -> list[Row]:
        return self._store.select(f"SELECT * FROM checkpoints WHERE {_LIVE}", time.time())

    # ---- changing ---------------------------------------------------------------------------

    def add(
        self,
        location: Location,
        owner: str,
        facts: Mapping[str, Any],
        *,
        size: int,
        ttl_seconds: float | None,
        event: str = "checkpoint_saved",
        **details: Any,
    ) -> None:
        """Record a checkpoint whose files are written, in place of one of the same name."""
        now = time.time()
        with self._store.transaction():
            self._store.write("DELETE FROM checkpoints WHERE path = ?", location.path)
            self._store.insert(
                "checkpoints",
                path=location.path,
                model_id=location.model_id,
                kind=location.kind,
                name=location.name,
                owner=owner,
                created=now,
                expires=None if ttl_seconds is None else now + ttl_seconds,
                size=size,
                facts=dict(facts),
            )
            self.note(event, owner, location.path, **details)

    def delete(self, row: Row, event: str = "checkpoint_deleted") -> None:
        location = parse(row["path"])
        assert location is not None, "only such paths are saved to"
        run = self._store.get("models", row["model_id"])
        session_id = "" if run is None else run["session_id"]
        with self._store.transaction():
            self._store.write("DELETE FROM checkpoints WHERE path = ?", row["path"])
            self.note(event, row["owner"], row["path"])
            for hour, amount in stored(row, time.time()):
                base_model = row["facts"]["base_model"]
                self._store.use(row["owner"], session_id, base_model, "storage", amount, hour)
        self.files.delete(location)

    def expire(self) -> None:
        """Delete what is past its time."""
        query = "SELECT * FROM checkpoints WHERE expires <= ?"
        for row in self._store.select(query, time.time()):
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
        expires = None if seconds is None else time.time() + seconds
        with self._store.transaction():
            self._store.write(
                "UPDATE checkpoints SET expires = ? WHERE path = ?", expires, row["path"]
            )
            self.note("checkpoint_ttl_set", row["owner"], row["path"], ttl_seconds=seconds)

    def copy(self, row: Row, model_id: str, owner: str, ttl_seconds: float | None) -> str:
        """A checkpoint of another training run with the same content; returns its tinker path."""
        source = parse(row["path"])
        assert source is not None, "only such paths are saved to"
        target = Location(model_id, source.kind, source.name)
        self.files.copy(source, target)
        self.add(
            target,
            owner,
            row["facts"],
            size=row["size"],
            ttl_seconds=ttl_seconds,
            event="checkpoint_copied",
            source_path=row["path"],
        )
        return target.path

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


def stored(row: Row, until: float) -> Iterator[tuple[int, float]]:
    """The gigabyte-hours of a checkpoint by the hour they fall into."""
    begin = row["created"]
    while begin < until:
        hour = int(begin // 3600) * 3600
        end = min(until, hour + 3600)
        yield hour, row["size"] / 1e9 * (end - begin) / 3600
        begin = end


def described(row: Row) -> dict[str, Any]:
    """A checkpoint, as the contract shows it."""
    return {
        "checkpoint_id": f"{row['kind']}/{row['name']}",
        "checkpoint_type": TYPES[row["kind"]],
        "time": timestamp(row["created"]),
        "tinker_path": row["path"],
        "size_bytes": row["size"],
        "public": bool(row["public"]),
        "user_metadata": row["facts"].get("user_metadata"),
        "expires_at": None if row["expires"] is None else timestamp(row["expires"]),
    }


def timestamp(seconds: float) -> str:
    """Seconds of the clock as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
