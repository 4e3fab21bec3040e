"""examples/typescript: what `make typescript` has checked and built runs against the embedded server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def test_the_program_samples(repository: Path, server: str) -> None:
    program = repository / "examples" / "typescript" / "build" / "sample.js"
    if not program.exists():
        pytest.skip("make typescript builds it")
    done = subprocess.run(
        [repository / "codegen" / "node.sh", "node", program],
        env={**os.environ, "TINKER_BASE_URL": server, "TINKER_API_KEY": "tml-typescript"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tinker-local/tiny length [")


def test_the_page_shows_the_program(repository: Path) -> None:
    page = (repository / "docs" / "other-languages.md").read_text(encoding="utf-8")
    program = (repository / "examples" / "typescript" / "sample.ts").read_text(encoding="utf-8")
    shown = page.partition("```typescript\n")[2].partition("```")[0]
    assert shown
    assert shown in program
