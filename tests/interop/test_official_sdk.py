"""Four generations of the official SDK against the embedded server: every call passes, with our client's numbers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.interop.installed import CACHE
from tinker_local import LocalServer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

VERSIONS = ["0.16.1", "0.24.1", "0.25.0", "0.38.0"]
SCRIPT = Path(__file__).parent / "official_session.py"


def python_with(version: str) -> Path:
    """A Python that has this version of the official SDK, and not ours."""
    environment = CACHE / f"tinker-{version}"
    done = environment / ".complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        pip: list[str | Path] = [
            environment / "bin" / "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, f"tinker=={version}"], check=True)
        done.touch()
    return environment / "bin" / "python"


def session_of(python: Path | str) -> dict[str, Any]:
    """What the script prints, with a fresh server."""
    ours = str(python) == sys.executable
    with LocalServer() as server:
        result = subprocess.run(
            [python, *([] if ours else ["-E"]), SCRIPT, server.url],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return report


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    report = session_of(sys.executable)
    assert report["failed"] == {}
    return report


@pytest.mark.parametrize("version", VERSIONS)
def test_a_whole_session(version: str, ours: dict[str, Any]) -> None:
    report = session_of(python_with(version))
    assert report["version"] == version
    assert report["failed"] == {}
    assert len(report["passed"]) >= 35
    assert report["numbers"].keys() <= ours["numbers"].keys()
    # What is newer than a version is tried with the newest.
    assert version != VERSIONS[-1] or report["passed"] == ours["passed"]
    for name, value in report["numbers"].items():
        assert _close(value, ours["numbers"][name]), (name, value, ours["numbers"][name])


def _close(a: Any, b: Any) -> bool:
    """Equal except for the rounding that other chunks bring."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4)
    return bool(a == b)
