"""Training state is not written whole at every operation: snapshots follow optimizer steps, and a restart does again
what came after the last one."""

from __future__ import annotations

import math
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.outcomes import assert_equal_checkpoints
from tests.support.raw_client import Raw, forward_backward, optim_step, save
from tinker_local import LocalServer
from tinker_local.options import Options

STEPS = 3


def step(raw: Raw, model_id: str, number: int) -> None:
    raw.do("forward_backward", forward_backward(model_id, 2 * number + 1, f"text {number}"))
    raw.do("optim_step", optim_step(model_id, 2 * number + 2))


def train(data: Path, *, options: list[Options]) -> None:
    """Three steps and a save, each step in a server of its own with these options."""
    with LocalServer(data, options=options[0]) as server, Raw(server.url) as raw:
        model_id = raw.model()
        step(raw, model_id, 0)
    for number in (1, 2):
        with LocalServer(data, options=options[number]) as server, Raw(server.url) as raw:
            step(raw, model_id, number)
    with LocalServer(data, options=options[0]) as server, Raw(server.url) as raw:
        raw.do("save_weights", save(model_id, 2 * STEPS + 1, "a"))


def rows(data: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(data / "state.sqlite")) as database:
        return database.execute(query).fetchall()


NEVER, ALWAYS = Options(snapshot_seconds=math.inf), Options(snapshot_seconds=0.0)


@pytest.mark.parametrize("options", [[NEVER] * 3, [ALWAYS] * 3, [NEVER, ALWAYS, NEVER]])
def test_a_restart_repeats_what_no_snapshot_covers(tmp_path: Path, options: list[Options]) -> None:
    with LocalServer(tmp_path / "at once") as server, Raw(server.url) as raw:
        model_id = raw.model()
        for number in range(STEPS):
            step(raw, model_id, number)
        raw.do("save_weights", save(model_id, 2 * STEPS + 1, "a"))
    train(tmp_path / "in parts", options=options)
    assert_equal_checkpoints(tmp_path / "in parts", tmp_path / "at once")


def test_bodies_are_kept_until_a_snapshot_covers_them(tmp_path: Path) -> None:
    train(tmp_path, options=[NEVER] * 3)
    assert rows(tmp_path, "SELECT count(*) FROM log JOIN bodies USING (request_id)") == [(6,)]
    assert rows(tmp_path, "SELECT log_id FROM adapters") == [(1,)]
    with LocalServer(tmp_path) as server, Raw(server.url) as raw:
        ((model_id,),) = rows(tmp_path, "SELECT model_id FROM adapters")
        raw.do(
            "load_weights",
            {**save(model_id, 8, ""), "path": f"tinker://{model_id}/weights/a", "optimizer": True},
        )
    assert rows(tmp_path, "SELECT * FROM log") == rows(tmp_path, "SELECT * FROM bodies") == []
    ((file,),) = rows(tmp_path, "SELECT file FROM adapters")
    assert [path.name for path in (tmp_path / "adapters").iterdir()] == [file]


def test_only_the_servers_own_rubbish_is_deleted(tmp_path: Path) -> None:
    adapters = tmp_path / "adapters"
    with LocalServer(tmp_path) as server, Raw(server.url) as raw:
        raw.model()
    ((file,),) = rows(tmp_path, "SELECT file FROM adapters")
    foreign, left = adapters / "mine.safetensors", adapters / "left.safetensors"
    foreign.write_bytes(b"somebody else's")
    left.write_bytes(b"of a process that was killed before it could record it")
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as database, database:
        database.execute("INSERT INTO snapshots VALUES (?)", (left.name,))
    with LocalServer(tmp_path):
        assert {path.name for path in adapters.iterdir()} == {file, foreign.name}
    assert rows(tmp_path, "SELECT file FROM snapshots") == [(file,)]


def test_a_file_is_named_before_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next start deletes what a process that is killed while writing leaves."""
    fsync = os.fsync

    def check(descriptor: int) -> None:
        file = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if file.parent.name == "adapters":
            assert rows(tmp_path, f"SELECT 1 FROM snapshots WHERE file = '{file.name}'") == [(1,)]
            checked.append(file.name)
        fsync(descriptor)

    checked: list[str] = []
    monkeypatch.setattr(os, "fsync", check)
    with LocalServer(tmp_path) as server, Raw(server.url) as raw:
        raw.model()
    assert len(checked) == 1


def test_a_sampler_that_cannot_be_made_leaves_no_weights(tmp_path: Path) -> None:
    with LocalServer(tmp_path) as server, Raw(server.url) as raw:
        session_id = raw.session()
        model_id = raw.model(session_id)
        raw.sampler(session_id, 0)
        before = set((tmp_path / "adapters").iterdir())
        body = {"model_id": model_id, "seq_id": 1, "sampling_session_seq_id": 0}
        failed = raw.do("save_weights_for_sampler", body)
        assert "is used by another sampler" in failed["error"]
        assert set((tmp_path / "adapters").iterdir()) == before


def test_unloading_leaves_nothing(tmp_path: Path) -> None:
    with LocalServer(tmp_path, options=NEVER) as server, Raw(server.url) as raw:
        model_id = raw.model()
        step(raw, model_id, 0)
        raw.do("unload_model", {"model_id": model_id, "type": "unload_model"})
        assert list((tmp_path / "adapters").iterdir()) == []
    assert rows(tmp_path, "SELECT * FROM log") == rows(tmp_path, "SELECT * FROM bodies") == []


def test_an_idle_adapter_leaves_the_engine_and_comes_back(tmp_path: Path) -> None:
    options = Options(snapshot_seconds=math.inf, keep_adapter_seconds=0.0, sweep_seconds=0.001)
    with LocalServer(tmp_path / "idle", options=options) as server, Raw(server.url) as raw:
        model_id = raw.model()
        for number in range(STEPS):
            step(raw, model_id, number)
        raw.do("save_weights", save(model_id, 2 * STEPS + 1, "a"))
    train(tmp_path / "kept", options=[NEVER] * 3)
    assert_equal_checkpoints(tmp_path / "idle", tmp_path / "kept")
