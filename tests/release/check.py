"""Build the wheel and the sdist, install each in clean environments, and run the README's loop there.

    python tests/release/check.py        what `make release-check` runs; dist/ has the files afterwards

PYTHONS names the interpreters (default: python3.11 python3.12 python3.13).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DIST = REPOSITORY / "dist"
PACKAGES = {
    *("tinker", "tinker_local", "tinker_api", "tinker_contract", "tinker_proto", "tinker-stubs"),
}


def run(*command: str | Path, cwd: Path = REPOSITORY) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def interpreters() -> list[str]:
    names = os.environ.get("PYTHONS", "python3.11 python3.12 python3.13").split()
    found = []
    for name in names:
        path = shutil.which(name)
        # A shim may be there without the Python behind it.
        if (
            path is None
            or subprocess.run([path, "-V"], capture_output=True, check=False).returncode
        ):
            raise SystemExit(f"{name} is not here; PYTHONS names the interpreters to try.")
        found.append(path)
    return found


def build(work: Path) -> list[Path]:
    environment = work / "build"
    run(sys.executable, "-m", "venv", environment)
    run(environment / "bin" / "pip", "install", "--quiet", "build")
    shutil.rmtree(DIST, ignore_errors=True)
    run(environment / "bin" / "python", "-m", "build", "--outdir", DIST)
    return sorted(DIST.iterdir())


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    if top != PACKAGES:
        raise SystemExit(f"{wheel.name} holds {sorted(top)}, expected {sorted(PACKAGES)}")
    for needed in ("tinker/py.typed", "tinker_api/py.typed", "tinker_contract/openapi.json"):
        if needed not in names:
            raise SystemExit(f"{wheel.name} lacks {needed}")


def try_out(python: str, file: Path, work: Path, loop: str) -> None:
    environment = work / "environment"
    shutil.rmtree(environment, ignore_errors=True)
    run(python, "-m", "venv", environment)
    run(environment / "bin" / "pip", "install", "--quiet", f"{file}[local]")
    output = run(environment / "bin" / "python", "-W", "error", "-c", loop, cwd=work)
    if not re.search(r"tinker://\S+/sampler_weights/demo", output):
        raise SystemExit(f"{file.name} on {python}: the loop printed\n{output}")


def check_changelog() -> None:
    """The changelog says what is new in this version."""
    version = re.findall(r'__version__ = "(.+)"', (REPOSITORY / "tinker/_version.py").read_text())[
        0
    ]
    sections = re.split(
        r"^## ", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    entries = {title: text for title, _, text in (one.partition("\n") for one in sections)}
    if "\n- " not in entries.get(version, ""):
        raise SystemExit(f'CHANGELOG.md has no entries for {version}: rename its "Unreleased".')


def main() -> None:
    check_changelog()
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    loop = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
    pythons = interpreters()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        files = build(work)
        check_contents(next(file for file in files if file.suffix == ".whl"))
        for python in pythons:
            for file in files:
                try_out(python, file, work, loop)
                version = run(python, "-c", "import platform; print(platform.python_version())")
                print(
                    f"{file.name} on Python {version.strip()}: installed, the loop ran", flush=True
                )


if __name__ == "__main__":
    main()
