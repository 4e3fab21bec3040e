"""tinker-cookbook runs on this package as it is: its loops and trainers, against the embedded server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.installed import CACHE
from tinker_local import LocalServer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

VERSION = "0.6.1"
SCRIPT = Path(__file__).parent / "cookbook_session.py"
# What the parts that run here import; the cookbook asks for more, and for a renderers package that is not in every index.
NEEDED = [
    *[
        "aiohttp",
        "anyio",
        "blobfile",
        "chz",
        "cloudpickle",
        "datasets",
        "huggingface-hub",
        "math-verify",
    ],
    *["pillow", "pydantic", "pylatexenc", "pyrage", "rich", "safetensors", "sympy", "termcolor"],
    *["torch==2.13.0", "tqdm", "transformers"],
]


def python_with_the_cookbook(repository: Path) -> Path:
    environment = CACHE / f"cookbook-{VERSION}"
    done = environment / ".complete"
    pip: list[str | Path] = [environment / "bin" / "pip", "--disable-pip-version-check"]
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        subprocess.run([*pip, "install", "--quiet", *NEEDED], check=True)
        without = ["--quiet", "--no-deps", f"tinker-cookbook=={VERSION}", "tml-renderers"]
        subprocess.run([*pip, "install", *without], check=True)
        done.touch()
    subprocess.run([*pip, "install", "--quiet", "-e", repository], check=True)
    return environment / "bin" / "python"


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
