"""What an error or a page tells users to install, in a clean environment with this repository's wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from tinker import _extras

REPOSITORY = Path(__file__).parents[3]
PIP = ["-m", "pip", "--disable-pip-version-check"]


def python(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [environment / "bin" / "python", *arguments], env=variables, cwd=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and what it requires, without extras. Takes a package index."""
    folder = tmp_path_factory.mktemp("extras")
    built = subprocess.run(
        [sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, REPOSITORY],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "No matching distribution found for hatchling" in built.stderr:
        pytest.skip("needs a package index, for hatchling")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("tinker-*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
    installed = python(folder / "environment", *PIP, "install", "--quiet", wheel)
    assert installed.returncode == 0, installed.stderr
    return folder / "environment"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_command_of_an_error_brings_what_is_missing(environment: Path) -> None:
    use = "import tinker; print(tinker.ServiceClient(base_url='local').get_server_capabilities())"
    before = python(environment, "-c", use)
    told = re.search(
        r"The embedded server needs the package \w+: (pip install .+)$", before.stderr, re.MULTILINE
    )
    assert told, before.stderr
    path = f"{environment / 'bin'}:{os.environ['PATH']}"
    typed = subprocess.run(
        ["bash", "-c", told[1]], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert typed.returncode == 0, typed.stderr
    after = python(environment, "-c", use)
    assert "tinker-local/tiny" in after.stdout, after.stderr


def extras() -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


def test_the_page_lists_every_extra() -> None:
    page = (REPOSITORY / "docs" / "extras.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == extras()


def test_errors_name_extras_that_exist() -> None:
    code = [
        path.read_text()
        for room in ("tinker", "tinker_local")
        for path in (REPOSITORY / room).rglob("*.py")
    ]
    named = {name for text in code for name in re.findall(r"_extras\.install\([\"'](\w+)", text)}
    assert {"local", "tokenizers", "cli", "age"} <= named <= extras()
    assert not [text for text in code if re.search(r"pip install '?tinker\[", text.replace("f\"pip", ""))
                and "def install(extra" not in text]  # fmt: skip


def test_no_page_installs_the_official_package_by_mistake() -> None:
    """`pip install tinker…` of the public index is the official SDK."""
    for page in (REPOSITORY / "docs").glob("*.md"):
        for line in re.findall(
            r"^ {4}pip install (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE
        ):
            assert not re.match(r"'?tinker(\[|$)", line), f"{page.name}: {line}"


def test_the_hint_for_a_copy_that_is_not_from_an_index_says_where_it_came_from() -> None:
    assert re.fullmatch(r"pip install (-e )?'.+\[local\]( @ .+)?(==.+)?'", _extras.install("local"))


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install 'tinker[age]==1.2'"),
        (
            {"url": "file:///home/a%20b/t", "dir_info": {"editable": True}},
            "pip install -e '/home/a b/t[age]'",
        ),
        ({"url": "file:///home/t", "dir_info": {}}, "pip install '/home/t[age]'"),
        (
            {"url": "https://host/t.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pip install 'tinker[age] @ git+https://host/t.git@abc'",
        ),
        (
            {"url": "https://host/t.whl", "archive_info": {}},
            "pip install 'tinker[age] @ https://host/t.whl'",
        ),
    ],
)
def test_the_hint_follows_how_the_copy_was_installed(
    origin: dict[str, object] | None,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PEP 610: an installer leaves where a copy came from beside its metadata."""
    (tmp_path / "METADATA").write_text("Metadata-Version: 2.1\nName: tinker\nVersion: 1.2\n")
    if origin is not None:
        (tmp_path / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(metadata, "distribution", lambda name: metadata.PathDistribution(tmp_path))
    assert _extras.install("age") == command


def test_the_hint_for_a_copy_that_is_not_installed_names_its_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert _extras.install("age") == f"pip install -e '{REPOSITORY}[age]'"
