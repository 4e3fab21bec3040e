"""The same operations on values, and by clients of the same server, give the same with both packages."""

from __future__ import annotations

import json
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.compat.official import run
from tinker_local import LocalServer

FOLDER = Path(__file__).parent
LISTED = tomllib.loads((FOLDER.parent / "accepted.toml").read_text(encoding="utf-8"))
PATTERNS = [pattern for entry in LISTED["behaves"] for pattern in entry["names"]]


@pytest.fixture(scope="module")
def differing() -> dict[str, str]:
    with LocalServer() as server:
        return _differences("values.py") | _differences("clients.py", stdin=server.url)


def _differences(script: str, stdin: str = "") -> dict[str, str]:
    theirs = json.loads(run(FOLDER / script, stdin=stdin, official=True))
    ours = json.loads(run(FOLDER / script, stdin=stdin, official=False))
    assert theirs.keys() == ours.keys()
    assert len(theirs) > 90
    return {
        name: f"{theirs[name]} there, {ours[name]} here"
        for name in theirs
        if theirs[name] != ours[name]
    }


def test_what_differs_is_accepted(differing: dict[str, str]) -> None:
    unlisted = {
        name: what
        for name, what in differing.items()
        if not any(fnmatchcase(name, pattern) for pattern in PATTERNS)
    }
    assert unlisted == {}


def test_what_is_accepted_differs(differing: dict[str, str]) -> None:
    assert [p for p in PATTERNS if not any(fnmatchcase(n, p) for n in differing)] == []
