"""tinker-cookbook runs on this package as it is: its loops and trainers against the embedded server, and its own tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.interop.installed import CACHE, environment
from tinker_local import LocalServer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

VERSION = "0.6.1"
OFFICIAL = "0.38.0"
SCRIPT = Path(__file__).parent / "cookbook_session.py"
# What the parts that run here import, and the official SDK; the cookbook asks for more, and for a newer renderers package
# than every index has.
NEEDED = [
    *["aiohttp", "anyio", "blobfile", "chz", "cloudpickle", "datasets", "huggingface-hub"],
    *["math-verify", "pillow", "pydantic", "pylatexenc", "pyrage", "rich", "safetensors", "sympy"],
    *["termcolor", "tiktoken", "torch==2.13.0", "tqdm", "transformers"],
    *["pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist"],
    *["distro", "httpx[http2]", "protobuf", "pyqwest", "sniffio", "zstandard"],
]


def python_with_the_cookbook(repository: Path) -> Path:
    without = ["--no-deps", f"tinker-cookbook=={VERSION}", "tml-renderers"]
    python = environment(f"cookbook-{VERSION}", [NEEDED, without]) / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-e", repository], check=True)
    return python


def official_sdk(python: Path) -> Path:
    """A folder with the official SDK alone: on PYTHONPATH it comes before this package."""
    folder = CACHE / f"cookbook-official-{OFFICIAL}"
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        wanted: list[str | Path] = ["--no-deps", "--target", partial, f"tinker=={OFFICIAL}"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        partial.rename(folder)
    return folder


def sources(python: Path) -> Path:
    """The cookbook's source distribution, which has its tests."""
    folder = CACHE / f"tinker_cookbook-{VERSION}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            wanted = ["--no-deps", "--no-binary", "tinker-cookbook", f"tinker-cookbook=={VERSION}"]
            subprocess.run(
                [python, "-m", "pip", "download", "--quiet", *wanted, "--dest", name], check=True
            )
            (archive,) = Path(name).iterdir()
            with tarfile.open(archive) as opened:
                opened.extractall(name, filter="data")
            (Path(name) / folder.name).rename(folder)
    return folder


def outcomes(python: Path, folder: Path, parts: Sequence[str], **variables: str) -> dict[str, str]:
    """How each test of the cookbook ends, by its node id. Offline, and without a key, for which some skip themselves."""
    folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    found = {}
    for number, part in enumerate(parts):
        report, temporary = folder / f"{number}.xml", folder / f"{number}"
        subprocess.run(
            [
                python,
                "-m",
                "pytest",
                part,
                *_OPTIONS,
                f"--junitxml={report}",
                f"--basetemp={temporary}",
            ],
            cwd=sources(python),
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        end_daemons(folder)
        for case in ElementTree.parse(report).iter("testcase"):  # made above
            ended = next((one.tag for one in case if one.tag in _BADLY), "passed")
            found[_node_id(case.attrib)] = ended
    return found


def end_daemons(folder: Path) -> list[int]:
    """End the cookbook's capture daemons, which outlive the tests that start them; returns their process ids."""
    ended = []
    for file in folder.rglob("daemon.json"):
        pid = json.loads(file.read_text())["pid"]
        command = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
        if "tinker_cookbook.capture.store.daemon" in command and str(file.parent) in command:
            os.kill(pid, signal.SIGTERM)
            ended.append(pid)
    return ended


def _node_id(case: Mapping[str, str]) -> str:
    file = case.get("file", "")
    inside = case["classname"].removeprefix(file.removesuffix(".py").replace("/", "."))
    return "::".join([file, *filter(None, inside.split(".")), case["name"]])


SUITE = ("tinker_cookbook", "tests/downstream_compat")
"""Run one after the other: where the second is collected, all tests without a key are skipped."""
_OPTIONS = [
    *("-q", "-p", "no:cacheprovider", "--timeout=300", "-n", "2"),
    *("--continue-on-collection-errors", "-o", "junit_family=xunit1"),
]
_BADLY = ("failure", "error", "skipped")


def test_its_own_tests(repository: Path, tmp_path: Path) -> None:
    """All of them, with the official SDK and with this package: each ends alike."""
    python = python_with_the_cookbook(repository)
    official = {"PYTHONPATH": str(official_sdk(python))}
    theirs = outcomes(python, tmp_path / "theirs", SUITE, **official)
    ours = outcomes(python, tmp_path / "ours", SUITE)
    print(f"official: {Counter(theirs.values())}; this package: {Counter(ours.values())}")
    assert ours.keys() == theirs.keys()
    # Some depend on the clock: those that end differently are run once more, each alone.
    different = [name for name, end in ours.items() if end != theirs[name]]
    theirs |= outcomes(python, tmp_path / "theirs again", different, **official)
    ours |= outcomes(python, tmp_path / "ours again", different)
    assert {name: end for name, end in ours.items() if end != theirs[name]} == {}
    assert Counter(ours.values())["passed"] > 2600


def test_its_loops_and_trainers(repository: Path) -> None:
    with LocalServer() as server:
        result = subprocess.run(
            [python_with_the_cookbook(repository), "-E", SCRIPT, server.url],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert result.returncode == 0, result.stderr[-5000:]
    report = json.loads(result.stdout.splitlines()[-1])
    assert report.pop("tinker").endswith("+openapi.1")
    assert report.keys() == {
        *["sl_loop", "rl_loop importance_sampling", "rl_loop cispo", "rl_loop gspo"],
        "rl_loop stable_reinforce",
        *["supervised", "dpo", "rl sync", "rl kl", "rl stream", "rl async"],
    }
    for name in ("sl_loop", "supervised", "dpo"):
        assert report[name][-1] < report[name][0], name
    for name, rewards in report.items():
        if name.startswith("rl"):
            assert rewards, name
            assert all(0 < reward < 1 for reward in rewards), name
