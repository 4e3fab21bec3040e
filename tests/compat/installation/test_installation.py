"""This package is called `tinker` as the official one is, so that an installer replaces one by the other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

import tinker
from tests.compat import official

PIP = ["-m", "pip", "--disable-pip-version-check", "--no-input"]
TYPED = """\
from tinker import *
from tinker.lib.public_interfaces.rest_client import APIFuture as Aliased
from tinker.lib.retry_handler import RetryConfig
from tinker.types import *
from tinker.types.checkpoint import Checkpoint as AliasedCheckpoint
from tinker.types.tensor_data import TensorData as Own


def same(one: Checkpoint, other: TensorData, future: APIFuture[int]) -> None:
    a: AliasedCheckpoint = one
    b: Own = other
    c: Aliased[int] = future
    d: str = RetryConfig()
"""
# torch, where it is installed, takes minutes.
SETTINGS = """\
[mypy]
strict = true
[mypy-torch.*]
follow_imports = skip
"""
OURS = tinker.__version__
REQUIRING = """\
Metadata-Version: 2.1
Name: requiring
Version: 1
Requires-Dist: tinker>=0.38.0
"""
# What is in the folders of both packages, and which files of them no package owns.
REPORT = """
import sysconfig
from importlib.metadata import distributions
from pathlib import Path
packages = Path(sysconfig.get_path("purelib"))
(tinker,) = [d for d in distributions() if d.metadata["Name"] == "tinker"]
owned = {str(packages / f) for f in tinker.files if f.parts[0].startswith("tinker")}
present = {str(file) for folder in packages.glob("tinker*") for file in folder.rglob("*") if file.is_file()}
print(tinker.version, sorted(present - owned), sorted(owned - present), (packages / "tinker_local").is_dir())
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel. Building it takes hatchling from the package index."""
    official.wheel()
    folder, repository = tmp_path_factory.mktemp("wheel"), Path(__file__).parents[3]
    built = subprocess.run(
        [sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, repository],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "No matching distribution found for hatchling" in built.stderr:
        pytest.skip("needs a package index, for hatchling")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("tinker-*.whl")
    return wheel


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A new environment, with a package in it that requires the official one."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    (packages,) = folder.glob("[Ll]ib/**/site-packages")
    (packages / "requiring-1.dist-info").mkdir()
    (packages / "requiring-1.dist-info" / "METADATA").write_text(REQUIRING)
    return folder


def python(environment: Path, *arguments: str | Path) -> str:
    (interpreter,) = environment.glob("bin/python") or environment.glob("Scripts/python.exe")
    result = subprocess.run(
        # No compiled files: they are in no list of files.
        [interpreter, "-B", *arguments], capture_output=True, text=True, check=False
    )  # fmt: skip
    return result.stdout + result.stderr


def install(environment: Path, *what: str | Path) -> str:
    return python(environment, *PIP, "install", "--no-compile", "--no-deps", *what)


@pytest.mark.long
def test_each_replaces_the_other(environment: Path, ours: Path) -> None:
    assert "Successfully installed" in install(environment, official.wheel())
    assert python(environment, "-c", REPORT) == "0.38.0 [] [] False\n"

    assert "Uninstalling tinker-0.38.0" in install(environment, ours)
    assert python(environment, "-c", REPORT) == f"{OURS} [] [] True\n"
    assert "tinker>=0.38.0" not in python(environment, *PIP, "check")
    assert "already satisfied" in install(environment, "--no-index", "tinker>=0.38.0,==0.40.0")

    assert f"Uninstalling tinker-{OURS}" in install(
        environment, "--force-reinstall", official.wheel()
    )
    assert python(environment, "-c", REPORT) == "0.38.0 [] [] False\n"


@pytest.mark.long
def test_type_checkers_see_what_users_write(environment: Path, ours: Path, tmp_path: Path) -> None:
    install(environment, ours)
    # What it requires is found where the tests have it.
    (packages,) = environment.glob("[Ll]ib/**/site-packages")
    (packages / "required.pth").write_text(str(Path(numpy.__file__).parents[1]))
    (interpreter,) = environment.glob("bin/python") or environment.glob("Scripts/python.exe")
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    # A copy, which is in no package: beside the original are this repository's modules.
    idioms = shutil.copy(Path(__file__).with_name("idioms.py"), tmp_path)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", interpreter, "typed.py", idioms],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    found = [line for line in checked if "error:" in line]
    assert len(found) == 1
    assert 'expression has type "RetryConfig", variable has type "str"' in found[0]
