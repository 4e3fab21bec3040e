"""Against which commits `make contract-diff` compares the contract, in histories with merges."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


class History:
    """A git repository with an openapi.yaml."""

    def __init__(self, folder: Path, script: Path) -> None:
        self.folder, self.script = folder, script
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        found = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return found.stdout.strip()

    def commit(self, version: str, field: str) -> str:
        text = f"openapi: 3.1.0\ninfo:\n  version: {version}\n\n\n\n\n\nfield: {field}\n"
        (self.folder / "openapi.yaml").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", f"{version} {field}")
        return self.git("rev-parse", "HEAD")

    def other(self) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", "something else")
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str) -> str:
        self.git("merge", "-q", "--no-ff", "--no-edit", branch)
        return self.git("rev-parse", "HEAD")

    def bases(self) -> list[str]:
        found = subprocess.run(
            [self.script, "--bases"],
            env={**os.environ, "CONTRACT_REPOSITORY": str(self.folder)},
            capture_output=True,
            text=True,
            check=True,
        )
        return found.stdout.split()


@pytest.fixture
def history(repository: Path, tmp_path: Path) -> History:
    return History(tmp_path, repository / "codegen" / "contract_diff.sh")


def test_a_straight_history(history: History) -> None:
    first = history.commit("0.1.0", "a")
    second = history.commit("0.2.0", "b")
    history.other()
    assert history.bases() == [second, first]


def test_the_first_version_has_nothing_before_it(history: History) -> None:
    first = history.commit("0.1.0", "a")
    history.other()
    assert history.bases() == [first]


def test_a_version_that_came_with_a_merge(history: History) -> None:
    history.commit("0.1.0", "a")
    history.git("switch", "-qc", "work")
    history.commit("0.2.0", "b")
    history.git("switch", "-q", "main")
    before = history.other()
    merged = history.merge("work")
    history.other()
    assert history.bases() == [merged, before]


def test_a_branch_that_changed_the_contract_before_it_merged_main(history: History) -> None:
    """Its change is not part of main because main's newer version came into it later."""
    history.commit("0.1.0", "a")
    history.git("switch", "-qc", "work")
    history.commit("0.1.0", "renamed")
    history.git("switch", "-q", "main")
    before = history.other()
    history.git("switch", "-qc", "release")
    history.commit("0.2.0", "a")
    history.git("switch", "-q", "main")
    named = history.merge("release")
    history.git("switch", "-q", "work")
    history.merge("main")
    assert "field: renamed" in (history.folder / "openapi.yaml").read_text()
    assert "version: 0.2.0" in (history.folder / "openapi.yaml").read_text()
    assert history.bases() == [named, before]


def test_a_branch_that_goes_on_after_it_was_merged(history: History) -> None:
    before = history.commit("0.1.0", "a")
    history.git("switch", "-qc", "work")
    history.commit("0.2.0", "b")
    history.git("switch", "-q", "main")
    history.merge("work")
    history.git("switch", "-q", "work")
    history.commit("0.2.0", "renamed")
    assert history.bases() == [before]
    merged = history.git("rev-parse", "main")
    history.merge("main")
    assert history.bases() == [merged, before]
