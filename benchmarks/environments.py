"""Two virtual environments, one for each client, with only what the client needs; and one with the libraries to compare with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache"
OFFICIAL = "tinker==0.38.0"
LIBRARIES = (
    *("protobuf==7.36.2", "msgspec==0.22.0"),
    *("aiohttp==3.14.5", "httpx-aiohttp==0.2.0"),
    *("tokenizers==0.23.3", "fastokens==0.3.5"),
)
_OURS, _OFFICIALS = CACHE / "bench-ours", CACHE / "bench-official"
_WITH_LIBRARIES = CACHE / "bench-libraries"


def ours() -> Path:
    """The interpreter of an environment with this project, as it is in the working directory."""
    return _with_project(_OURS)


def libraries() -> Path:
    """The same with the libraries that could be in the place of hand-written parts."""
    return _with_project(_WITH_LIBRARIES, *LIBRARIES)


def _with_project(environment: Path, *libraries: str) -> Path:
    constraints = str(REPOSITORY / "constraints.txt")
    wanted = (REPOSITORY / "pyproject.toml").read_text() + Path(constraints).read_text()
    requirements = ["-c", constraints, str(REPOSITORY), *libraries]
    python = _make(environment, wanted + "".join(libraries), requirements)
    # Installed again each time, and not as a link: with the files that a user gets, compiled.
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
