"""The data folder: only files that the database names as garbage are deleted."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.raw_client import Raw, forward_backward, optim_step, sample, save
from tinker_local import LocalServer

KEYS = "tml-a anna admin\ntml-b bert\n"


def refused(data: Path, *arguments: str) -> str:
    """The one line with which the server refuses to start."""
    command = [sys.executable, "-m", "tinker_local", "--port", "0", "--data", str(data), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
    return ended.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def trained(data: Path) -> tuple[str, object]:
    """A folder with two checkpoints of a trained model; the model, and what is sampled from one."""
    with LocalServer(data=data) as running, Raw(running.url) as raw:
        model_id = raw.model()
        raw.do("forward_backward", forward_backward(model_id, 1))
        raw.do("optim_step", optim_step(model_id, 2))
        raw.do("save_weights", save(model_id, 3, "a"))
        raw.do("save_weights_for_sampler", save(model_id, 4, "a"))
        return model_id, sampled(raw, model_id)


def sampled(raw: Raw, model_id: str) -> object:
    body = {**sample("", 0), "model_path": f"tinker://{model_id}/sampler_weights/a"}
    del body["sampling_session_id"], body["seq_id"]
    return raw.do("asample", body)["sequences"]


def delete_database(data: Path) -> None:
    for file in data.glob("state.sqlite*"):
        file.unlink()


def empty_database(data: Path) -> None:
    delete_database(data)
    (data / "state.sqlite").touch()


def database_without_tables(data: Path) -> None:
    delete_database(data)
    with sqlite3.connect(data / "state.sqlite") as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("DROP TABLE t")
    connection.close()


LOSSES = [delete_database, empty_database, database_without_tables]


@pytest.mark.parametrize("lose", LOSSES)
def test_checkpoints_without_a_database_are_refused_and_can_be_adopted(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    model_id, before = trained(tmp_path)
    lose(tmp_path)
    files = contents(tmp_path / "checkpoints")
    assert len(files) == 5
    assert "its database is missing: adopt the checkpoints (--adopt)" in refused(tmp_path)
    assert contents(tmp_path / "checkpoints") == files
    with LocalServer(data=tmp_path, adopt=True) as server, Raw(server.url) as raw:
        assert sampled(raw, model_id) == before
        listed = raw.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
        assert {one["checkpoint_id"] for one in listed} == {"weights/a", "sampler_weights/a"}
        into = {"session_id": raw.session(), "model_seq_id": 0, "optimizer": True}
        resumed = raw.do("load_weights", {**into, "path": f"tinker://{model_id}/weights/a"})
        assert resumed["type"] == "load_weights"
    assert sorted(contents(tmp_path / "checkpoints").values()) == sorted(files.values())
    with LocalServer(data=tmp_path) as server, Raw(server.url) as raw:  # once is enough
        assert sampled(raw, model_id) == before


def test_a_database_older_than_its_checkpoints_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with LocalServer(data=data) as running, Raw(running.url) as raw:
        model_id = raw.model()
    shutil.copytree(data, tmp_path / "older")
    with LocalServer(data=data) as running, Raw(running.url) as raw:
        raw.do("save_weights", save(model_id, 1, "a"))
    shutil.copytree(data / "checkpoints", tmp_path / "older" / "checkpoints")
    files = contents(tmp_path / "older" / "checkpoints")
    assert "1 checkpoint folders that its database does not know" in refused(tmp_path / "older")
    assert contents(tmp_path / "older" / "checkpoints") == files
    with LocalServer(data=tmp_path / "older", adopt=True) as running, Raw(running.url) as raw:
        # Of the same number and name as the one that the older database did not know.
        raw.do("save_weights", {**save(model_id, 1, "a"), "overwrite": True})
        raw.do("save_weights", save(model_id, 2, "b"))
        listed = raw.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
        assert {one["checkpoint_id"] for one in listed} == {"weights/a", "weights/b"}


def test_adopted_checkpoints_belong_to_the_first_administrator(tmp_path: Path) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    keys.write_text(KEYS)
    trained(data)
    delete_database(data)
    with LocalServer(data=data, adopt=True, keys=keys) as running:
        with Raw(running.url, "tml-a") as anna:
            assert len(anna.get("checkpoints")["checkpoints"]) == 2
        with Raw(running.url, "tml-b") as bert:
            assert bert.get("checkpoints")["checkpoints"] == []


def test_what_cannot_be_adopted_is_set_aside(tmp_path: Path) -> None:
    model_id, _ = trained(tmp_path)
    delete_database(tmp_path)
    (cut,) = tmp_path.glob("checkpoints/*/weights/a/*/adapter_model.safetensors")
    content = cut.read_bytes()
    cut.write_bytes(content[:1000])
    with LocalServer(data=tmp_path, adopt=True) as running, Raw(running.url) as raw:
        listed = raw.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
        assert {one["checkpoint_id"] for one in listed} == {"sampler_weights/a"}
    (aside,) = tmp_path.glob("not-adopted/*/weights/a/*/adapter_model.safetensors")
    assert aside.read_bytes() == content[:1000]


@pytest.mark.parametrize(
    "file", ["checkpoints/run/weights/a/1/model.bin", "notes.txt", "checkpoints/x"]
)
@pytest.mark.parametrize("adopt", [[], ["--adopt"]])
def test_the_folder_of_another_program_is_left_alone(
    tmp_path: Path, file: str, adopt: list[str]
) -> None:
    data = tmp_path / "data"
    (data / file).parent.mkdir(parents=True)
    (data / file).write_text("mine")
    (data / "theirs.cfg").write_text("mine, too")
    assert "is not a data folder of this server" in refused(data, *adopt)
    assert contents(data) == {file: b"mine", "theirs.cfg": b"mine, too"}


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE accounts (id)")
    connection.close()
    lost = tmp_path / "checkpoints" / "run" / "weights" / "a" / "1"
    lost.mkdir(parents=True)
    before = file.read_bytes()
    assert "it is not a database of this server" in refused(tmp_path, "--adopt")
    assert file.read_bytes() == before
    assert lost.is_dir()


def test_files_of_a_save_or_a_delete_that_was_cut_short_are_removed_at_the_next_start(
    tmp_path: Path,
) -> None:
    trained(tmp_path)
    checkpoints = tmp_path / "checkpoints"
    files = contents(checkpoints)
    (kept,) = checkpoints.glob("*/weights/a/*")
    orphans = [kept.with_name("7"), kept.parent.with_name("lost") / "1"]
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        for orphan in orphans:
            folder = orphan.relative_to(checkpoints).as_posix()
            connection.execute("INSERT INTO unreferenced VALUES (?)", (folder,))
    connection.close()
    orphans.append(orphans[0].with_name("7.deleted"))
    for orphan in orphans:
        orphan.mkdir(parents=True)
        (orphan / "adapter_model.safetensors").write_bytes(b"x")
    with LocalServer(data=tmp_path):
        assert contents(checkpoints) == files
        assert not orphans[1].parent.exists()


def test_a_cut_checkpoint_is_reported_in_words(tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        model_id, _ = raw.saved()
        (file,) = tmp_path.glob("checkpoints/*/weights/a/*/adapter_model.safetensors")
        file.write_bytes(file.read_bytes()[:1000])
        into = {"session_id": raw.session(), "model_seq_id": 0, "optimizer": False}
        path = f"tinker://{model_id}/weights/a"
        failed = raw.result(raw.post("load_weights", {**into, "path": path}))
        assert failed["category"] == "server"
        assert failed["error"].startswith(
            f"{path}: adapter_model.safetensors is damaged: it has 1000 bytes and cannot be read ("
        )
