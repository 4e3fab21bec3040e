"""Checks that the checkpoint files match the database, and handles unknown ones.

The database names every folder before files are written to it, and until they are deleted. So a folder that it names
but no checkpoint has is a leftover and is deleted; a folder that it does not name is foreign, and is rejected or
adopted.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from attrs import asdict

from tinker_local.state.catalog import Catalog
from tinker_local.state.checkpoints import DamagedCheckpoint, Location, parse
from tinker_local.state.folder import CHECKPOINTS, DataFolderError
from tinker_local.state.store import Store

logger = logging.getLogger("tinker_local")

SET_ASIDE = "not-adopted"
_ADOPTED = "-adopted"
"""Suffix of an adopted folder's name, so that no later save of an older database has the same."""


def reconcile(store: Store, catalog: Catalog, owner: str, *, adopt: bool) -> None:
    """Delete the database's own leftovers, and adopt or reject unknown folders.

    Raises:
        DataFolderError: There are checkpoints that the database does not know, and `adopt` is not set.
    """
    unknown = catalog.unknown_folders()
    if unknown and not adopt:
        raise DataFolderError(
            f"{store.folder} has {len(unknown)} checkpoint folders that its database does not know, such as "
            f"{unknown[0]}: adopt them (--adopt), or move them away"
        )
    catalog.delete_unreferenced()
    for folder in unknown:
        try:
            _adopt(store, catalog, folder, owner)
        except (DamagedCheckpoint, FileNotFoundError) as error:
            aside = store.folder / SET_ASIDE / folder
            aside.parent.mkdir(parents=True, exist_ok=True)
            (store.folder / CHECKPOINTS / folder).rename(aside)
            logger.warning("Not adopted, but moved to %s: %s", aside, error)


def _adopt(store: Store, catalog: Catalog, folder: str, owner: str) -> None:
    """Record the checkpoint in a folder, and the training run it belongs to."""
    run, kind, name, save = Path(folder).parts
    location = Location(unquote(run), kind, name)
    if parse(location.path) != location:
        raise FileNotFoundError(f"{folder} is not where checkpoints are saved")
    if store.get("checkpoints", location.path) is not None:  # two saves of one name are both kept
        location = Location(location.model_id, kind, f"{name}.{save}")
    adapter = catalog.files.read(folder, with_moments=kind == "weights")
    folder = catalog.files.rename(folder, f"{save}{_ADOPTED}")
    facts = {"base_model": adapter.base_model, "lora": asdict(adapter.lora), "user_metadata": None}
    with store.transaction():
        _add_run(store, location.model_id, owner, facts)
        catalog.add(location, folder, owner, facts, ttl_seconds=None, event="checkpoint_adopted")


def _add_run(store: Store, model_id: str, owner: str, facts: dict[str, Any]) -> None:
    """A training run that holds adopted checkpoints: it has no adapter and cannot be trained."""
    if store.get("models", model_id) is not None:
        return
    session_id, now = model_id.partition(":")[0], store.now()
    if store.get("sessions", session_id) is None:
        about = {"tags": ["adopted"]}
        store.insert("sessions", id=session_id, owner=owner, created=now, seen=now, facts=about)
        finish = {"reason": {"type": "success"}, "detail": "adopted", "time": now}
        store.finish_session(session_id, finish)
    store.insert(
        "models",
        id=model_id,
        session_id=session_id,
        owner=owner,
        created=now,
        seen=now,
        facts=facts,
        ready=1,
        unloaded=1,
        next_seq_id=1,
    )
