"""The embedded server's files: tensors in the safetensors format, and a database whose journal is emptied beside its work."""

from __future__ import annotations

import contextlib
import io
import shutil
import sqlite3
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import numpy.typing as npt
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, strategies as st

from tinker_local.state import schema, store as store_module, tensor_files
from tinker_local.state.folder import DATABASE, DataFolder, DataFolderError
from tinker_local.state.store import Store

TENSORS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "__metadata__"),
    arrays.arrays(np.float32, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)),
    max_size=4,
)
METADATA = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)


@given(TENSORS, METADATA)
def test_safetensors_reads_what_was_written(
    tensors: dict[str, npt.NDArray[np.float32]], metadata: dict[str, str]
) -> None:
    file = io.BytesIO()
    tensor_files.write(file, tensors, metadata)
    read = safetensors.numpy.load(file.getvalue())
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)


def test_a_file_has_its_metadata_and_tensors_that_are_not_in_one_piece(tmp_path: Path) -> None:
    tensor = np.arange(12, dtype=np.float32).reshape(3, 4).T
    with (tmp_path / "file").open("wb") as file:
        tensor_files.write(file, {"b": tensor, "a": tensor[::2]}, {"step": "3"})
    with safetensors.safe_open(tmp_path / "file", framework="numpy") as opened:
        assert opened.metadata() == {"step": "3"}
        np.testing.assert_array_equal(opened.get_tensor("b"), tensor)
        np.testing.assert_array_equal(opened.get_tensor("a"), tensor[::2])


def folders(database: Path) -> list[str]:
    """The rows of a table, without what is only in the journal."""
    copy = shutil.copyfile(database, database.with_name("copy"))
    with sqlite3.connect(copy) as connection:
        return [folder for (folder,) in connection.execute("SELECT folder FROM unreferenced")]


def test_a_flush_moves_what_was_committed_into_the_database(tmp_path: Path) -> None:
    Store(DataFolder(tmp_path / "data")).close()
    database = tmp_path / "data" / DATABASE
    store = Store(DataFolder(tmp_path / "data"))
    store.insert("unreferenced", folder="one")
    assert folders(database) == []
    store.flush()
    assert folders(database) == ["one"]
    store.close()
    assert not database.with_name(f"{DATABASE}-wal").exists()
    store.flush()  # a flush that comes too late leaves no journal behind
    assert not database.with_name(f"{DATABASE}-wal").exists()


@pytest.mark.parametrize("statements", [1, 5])
def test_a_server_that_was_killed_while_it_made_its_database_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statements: int
) -> None:
    parts = schema.SCHEMA.split(";")
    killed = ";".join([*parts[:statements], " killed"])
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "SCHEMA", killed)
        with pytest.raises(DataFolderError, match="killed"):
            Store(DataFolder(tmp_path / "data"))
    Store(DataFolder(tmp_path / "data")).close()
    Store(DataFolder(tmp_path / "data")).close()


def test_a_nested_transaction_may_fail_alone(tmp_path: Path) -> None:
    store = Store(DataFolder(tmp_path / "data"))
    done: list[str] = []
    with store.transaction():
        store.insert("unreferenced", folder="kept")
        with contextlib.suppress(ValueError), store.transaction():
            store.insert("unreferenced", folder="lost")
            store.after_commit(lambda: done.append("lost"))
            raise ValueError
        store.after_commit(lambda: done.append("kept"))
        assert done == []
    assert done == ["kept"]
    with contextlib.suppress(ValueError), store.transaction(), store.transaction():
        store.insert("unreferenced", folder="lost")
        store.after_commit(lambda: done.append("lost"))
        raise ValueError
    assert done == ["kept"]
    with store.transaction(), contextlib.suppress(KeyError), store.transaction():
        store.insert("unreferenced", folder="lost")
        with contextlib.suppress(ValueError), store.transaction():
            raise ValueError
        raise KeyError
    assert [row["folder"] for row in store.select("SELECT folder FROM unreferenced")] == ["kept"]
    store.close()
