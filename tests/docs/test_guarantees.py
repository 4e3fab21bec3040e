"""docs/guarantees.md and SECURITY.md: each promise names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize(
    ("page", "end", "least"),
    [
        ("docs/guarantees.md", "## What a repetition returns", 20),
        ("SECURITY.md", "## What is not", 15),
    ],
)
def test_each_promise_names_its_test(repository: Path, page: str, end: str, least: int) -> None:
    promised, found_end, _ = (repository / page).read_text(encoding="utf-8").partition(end)
    assert found_end
    rows = [line for line in promised.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promise ")]
    assert len(promises) > least
    for promise in promises:
        named = _TEST.findall(promise)
        assert named, promise
        for file, name in named:
            tree = ast.parse((repository / file).read_text(encoding="utf-8"))
            assert name in {getattr(node, "name", None) for node in tree.body}, (file, name)
