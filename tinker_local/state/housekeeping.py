"""Deletes expired state."""

from __future__ import annotations

import shutil
from pathlib import Path

from tinker_local.options import Options
from tinker_local.state.catalog import Catalog
from tinker_local.state.snapshots import Snapshots
from tinker_local.state.store import Store


def sweep(
    store: Store, catalog: Catalog, snapshots: Snapshots, traces: Path, options: Options
) -> None:
    """Delete expired checkpoints, old results, recordings and traces, and weights of samplers nobody uses any more."""
    now = store.now()
    catalog.expire()
    store.drop_old_results(
        read_before=now - options.keep_read_results_seconds,
        finished_before=now - options.keep_unread_results_seconds,
    )
    # The row stays, for a message that says that it was deleted.
    store.write(
        "UPDATE recordings SET content = NULL WHERE content IS NOT NULL AND used < ?",
        now - options.keep_recordings_seconds,
    )
    silent_since = now - options.keep_ephemeral_seconds
    # A session has ended when its client has finished it or has sent no heartbeat for too long. Recent samples
    # keep the weights of their sampler nevertheless.
    forgotten = store.select(
        """DELETE FROM ephemeral_weights WHERE sampler_id IN (
            SELECT samplers.id FROM samplers JOIN sessions ON sessions.id = session_id
            WHERE coalesce(json_extract(finish, '$.time'), sessions.seen + ?) < ?)
        AND NOT EXISTS (SELECT 1 FROM requests WHERE target = sampler_id AND created >= ?)
        RETURNING file""",
        options.session_seconds,
        silent_since,
        silent_since,
    )
    for row in forgotten:
        snapshots.delete(row["file"])
    for row in store.select("SELECT id FROM uploads WHERE path IS NULL AND expires < ?", now):
        shutil.rmtree(store.folder / "uploads" / row["id"], ignore_errors=True)
    for file in traces.glob("*.json"):
        if file.stat().st_mtime < now - options.url_seconds:
            file.unlink(missing_ok=True)
