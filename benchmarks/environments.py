"""Two virtual environments, one for each client, with nothing in them but what the client needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache"
OFFICIAL = "tinker==0.38.0"
_OURS, _OFFICIALS = CACHE / "bench-ours", CACHE / "bench-official"


def ours() -> Path:
    """The interpreter of an environment with this project, as it is in the working directory."""
    constraints = str(REPOSITORY / "constraints.txt")
    wanted = (REPOSITORY / "pyproject.toml").read_text() + Path(constraints).read_text()
    python = _make(_OURS, wanted, ["-c", constraints, str(REPOSITORY)])
    # Installed anew each time, and not as a link: with the files that a user gets, compiled.
    _pip(python, "--force-reinstall", "--no-deps", str(REPOSITORY))
    return python


def official() -> Path:
    """The interpreter of an environment with the official SDK."""
    return _make(_OFFICIALS, OFFICIAL, [OFFICIAL])


def _make(environment: Path, wanted: str, requirements: list[str]) -> Path:
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = environment / "made-for"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing into {environment.relative_to(REPOSITORY)} (once) …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        _pip(python, *requirements)
        stamp.write_text(wanted)
    return python


def _pip(python: Path, *arguments: str) -> None:
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *arguments], check=True)


def official_packages() -> Path:
    """Where the official SDK's packages are."""
    return _packages(_OFFICIALS)


def sizes() -> tuple[float, float]:
    """MB of what pip leaves on the disk for a client, compiled files and all: ours, the official SDK."""
    return _size(_OURS), _size(_OFFICIALS)


def _packages(environment: Path) -> Path:
    return next(path for path in environment.rglob("site-packages") if path.is_dir())


def _size(environment: Path) -> float:
    not_asked_for = ("pip", "setuptools", "_distutils_hack", "pkg_resources")
    total = sum(
        file.stat().st_size
        for folder in _packages(environment).iterdir()
        if not folder.name.startswith(not_asked_for)
        for file in ([folder] if folder.is_file() else folder.rglob("*"))
        if file.is_file()
    )
    return total / 1e6
