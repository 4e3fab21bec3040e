"""The official SDK, in an environment of its own: what this package is compared with.

    python tests/compat/official.py        makes .cache/official-0.38.0, unless it is there

Installed from the package index that pip has here, with what the SDK imports and no more (its tokenizer libraries
take 300 MB). The tests that need it are skipped as long as it is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

VERSION = "0.38.0"
_IMPORTS = [
    *["anyio", "click", "distro", "httpx[http2]", "numpy", "orjson", "protobuf", "pydantic"],
    *["pyqwest", "rich", "sniffio", "typing-extensions", "zstandard"],
]
_ENVIRONMENT = Path(__file__).parents[2] / ".cache" / f"official-{VERSION}"
_DONE = _ENVIRONMENT / "complete"


def make() -> None:
    if _DONE.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", _ENVIRONMENT], check=True)
    pip: list[str | Path] = [_python(), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    official = ["--no-deps", f"tinker=={VERSION}"]
    subprocess.run([*pip, "install", *_IMPORTS], check=True)
    subprocess.run([*pip, "download", *official, "--dest", _ENVIRONMENT], check=True)
    subprocess.run([*pip, "install", *official, "--find-links", _ENVIRONMENT], check=True)
    _DONE.touch()


def _python() -> Path:
    return _ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _needed() -> None:
    if not _DONE.exists():
        pytest.skip(f"needs the official SDK {VERSION}: make official-sdk")


def wheel() -> Path:
    """Its wheel."""
    _needed()
    (found,) = _ENVIRONMENT.glob(f"tinker-{VERSION}-*.whl")
    return found


def run(script: Path, *, stdin: str = "", official: bool) -> str:
    """What a script prints with the official SDK, or with this package."""
    if official:
        _needed()
    command: list[str | Path] = [_python(), "-E"] if official else [sys.executable]
    result = subprocess.run(
        # -P: what is beside the script is not what it imports.
        [*command, "-P", script], input=stdin, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


if __name__ == "__main__":
    make()
