"""docs/low-level-client.md: its examples run, in their order, against a server, and are typed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tinker_local import LocalServer

_CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def script(repository: Path, tmp_path: Path) -> Path:
    page = (repository / "docs" / "low-level-client.md").read_text(encoding="utf-8")
    file = tmp_path / "page.py"
    file.write_text("\n".join(_CODE.findall(page)))
    return file


def test_the_examples_run_and_print_what_the_server_has(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalServer(data=tmp_path / "data") as server:
        monkeypatch.setenv("TINKER_BASE_URL", server.url)
        monkeypatch.setenv("TINKER_API_KEY", "tml-page")
        result = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=False
        )
    assert result.returncode == 0, result.stderr
    models, session, error, raw, message, checkpoints = result.stdout.splitlines()
    assert "tiny" in models
    assert len(session) > 10
    assert error.startswith("404 ")
    assert raw.startswith("HTTP/1.1 application/json ")
    assert message == "list_user_checkpoints GET /api/v1/checkpoints {'limit': 5, 'offset': 0}"
    assert checkpoints == "[]"


def test_the_examples_are_typed(repository: Path, script: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(script)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
