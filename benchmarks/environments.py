"""Two virtual environments, one for each client, with nothing in them but what the client needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache"
OFFICIAL = "tinker==0.38.0"


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def ours() -> Path:
    """The interpreter of an environment with this project, as it is in the working directory."""
    pyproject, constraints = REPOSITORY / "pyproject.toml", REPOSITORY / "constraints.txt"
    wanted = pyproject.read_text() + constraints.read_text()
    # The server parses requests with what the client needs too.
    return _make(CACHE / "bench-ours", wanted, ["-c", str(constraints), "-e", str(REPOSITORY)])


def official() -> Path:
    """The interpreter of an environment with the official SDK."""
    return _make(CACHE / "bench-official", OFFICIAL, [OFFICIAL])


def _make(environment: Path, wanted: str, requirements: list[str]) -> Path:
    python, stamp = python_of(environment), environment / "made-for"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing into {environment.relative_to(REPOSITORY)} (once) …", flush=True)
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        stamp.write_text(wanted)
    return python


def packages(environment: Path) -> Path:
    """Where an environment's packages are."""
    return next(path for path in environment.rglob("site-packages") if path.is_dir())


def size(environment: Path) -> float:
    """MB of what is installed in an environment, without pip and compiled files."""
    total = sum(
        file.stat().st_size
        for folder in packages(environment).iterdir()
        if not folder.name.startswith(("pip", "setuptools", "_distutils_hack", "pkg_resources"))
        for file in ([folder] if folder.is_file() else folder.rglob("*"))
        if file.is_file() and file.suffix != ".pyc"
    )
    return total / 1e6


def size_of_ours() -> float:
    """As `size`; the client itself is installed as a link, so its files are counted here."""
    folders = [REPOSITORY / "tinker", REPOSITORY / "tinker_local", REPOSITORY / "generated"]
    files = [f for folder in folders for f in folder.rglob("*") if f.is_file()]
    own = sum(f.stat().st_size for f in files if f.suffix != ".pyc")
    return size(CACHE / "bench-ours") + own / 1e6
