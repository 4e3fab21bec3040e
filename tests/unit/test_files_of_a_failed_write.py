"""Writes that fail midway, such as on a full disk, leave no files behind: the next attempt needs their room."""

from __future__ import annotations

import errno
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from tinker_local.engine.base import AdapterState, LoraSpec
from tinker_local.state import tensor_files
from tinker_local.state.checkpoints import CheckpointFiles, Location
from tinker_local.state.folder import DataFolder
from tinker_local.state.snapshots import Snapshots
from tinker_local.state.store import Store

ADAPTER = AdapterState(
    base_model="m",
    lora=LoraSpec(rank=1),
    alpha=1.0,
    weights={"layers.0.q_proj.lora_A": np.ones((1, 2), np.float32)},
)
LOCATION = Location("run", "sampler_weights", "a")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(DataFolder(tmp_path / "data"))
    yield opened
    opened.close()


def full(write: Callable[..., Any] | None = None) -> Callable[..., NoReturn]:
    """Write, if there is something to write, and find the disk full."""

    def fail(*arguments: Any, **options: Any) -> NoReturn:
        if write is not None:
            write(*arguments, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    return fail


def test_a_snapshot(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = Snapshots(store)
    monkeypatch.setattr(tensor_files, "write", full(tensor_files.write))
    with pytest.raises(OSError, match="No space left"):
        snapshots.write(ADAPTER)
    assert list((store.folder / "adapters").iterdir()) == []
    assert store.select("SELECT * FROM snapshots") == []


def test_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = CheckpointFiles(tmp_path)
    folder = files.write(LOCATION, "1", ADAPTER)
    saved = sorted(path.name for path in (tmp_path / folder).iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "addfile", full())
        with pytest.raises(OSError, match="No space left"):
            files.archive(folder)
    assert sorted(path.name for path in (tmp_path / folder).iterdir()) == saved
    with tarfile.open(files.archive(folder)) as archive:
        assert archive.getnames() == saved


def test_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = CheckpointFiles(tmp_path)
    folder = files.write(LOCATION, "1", ADAPTER)
    monkeypatch.setattr(shutil, "copyfileobj", full(shutil.copyfileobj))
    with pytest.raises(OSError, match="No space left"):
        files.copy(folder, Location("copy", "sampler_weights", "a"))
    assert files.folders() == [folder]
