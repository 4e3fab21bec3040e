"""docs/guarantees.md: each promise names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_each_promise_names_its_test(repository: Path) -> None:
    text = (repository / "docs" / "guarantees.md").read_text(encoding="utf-8")
    promised, _, _ = text.partition("## What a repetition returns")
    rows = [line for line in promised.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promise ")]
    assert len(promises) > 15
    for promise in promises:
        named = _TEST.findall(promise)
        assert named, promise
        for file, name in named:
            tree = ast.parse((repository / file).read_text(encoding="utf-8"))
            assert name in {getattr(node, "name", None) for node in tree.body}, (file, name)
