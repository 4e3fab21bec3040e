"""A training program with a journal, killed at random moments and started again, ends as if it had not been killed: nothing
is lost, nothing is done twice, bit by bit."""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from attrs import frozen

from tests.support.journaled_loop import STEPS, Programs
from tests.support.outcomes import assert_equal_files, checkpoint_files
from tinker_local import LocalServer

DEEP = bool(os.environ.get("FAULTS_DEEP"))
KILLS = 50 if DEEP else 6


@frozen
class World:
    data: Path
    programs: Programs
    files: Mapping[str, Any]
    """Of the checkpoints of a program that was not killed."""
    work: Counter[str]
    lines: set[str]
    moments: int


def work_of(data: Path, model_id: str) -> Counter[str]:
    """What the server has done for a run, by its books."""
    (books,) = data.glob("*.sqlite")
    with sqlite3.connect(f"file:{books}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT operation, state FROM requests WHERE target = ?", (model_id,)
        )
        return Counter(f"{operation} {state}" for operation, state in rows)


def model_of(journal: Path) -> str:
    model_id: str = orjson.loads(journal.read_bytes().partition(b"\n")[0])["run"]["run_id"]
    return model_id


def lines_of(log: Path, model_id: str) -> list[str]:
    return log.read_text().replace(model_id, "RUN").splitlines()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data, folder = tmp_path_factory.mktemp("server"), tmp_path_factory.mktemp("undisturbed")
    with LocalServer(data) as server, Programs(server.url) as programs:
        code, moments = programs.run(folder / "journal", folder / "log")
        assert code == 0
        model_id = model_of(folder / "journal")
        lines = lines_of(folder / "log", model_id)
        assert len(lines) == STEPS + 1
        files, work = checkpoint_files(data, model_id), work_of(data, model_id)
        assert work["forward_backward done"] == 2 * STEPS
        yield World(data, programs, files, work, set(lines), moments)


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_program_killed_at_a_random_moment_ends_as_one_that_was_not(
    world: World, seed: int, tmp_path: Path
) -> None:
    """Killed up to three times, the later times while it takes up the run."""
    chance = random.Random(seed)
    for attempt in range(20):  # how many moments a program has depends on the machine's load
        journal, log = tmp_path / f"journal-{attempt}", tmp_path / f"log-{attempt}"
        log.touch()
        code, _ = world.programs.run(journal, log, chance.randrange(1, world.moments))
        if code == -9:
            break
        assert code == 0
    assert code == -9
    for _ in range(chance.randint(0, 2)):
        code, _ = world.programs.run(journal, log, chance.randrange(1, world.moments))
        assert code in (0, -9)
    assert world.programs.run(journal, log)[0] == 0
    model_id = model_of(journal)
    assert set(lines_of(log, model_id)) == world.lines
    assert work_of(world.data, model_id) == world.work
    assert_equal_files(checkpoint_files(world.data, model_id), world.files)
