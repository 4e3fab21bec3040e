"""tinkerscope, a viewer of others, reads the folder of a run: its settings, its checkpoints, and which can be sampled from."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.interop.installed import environment
from tests.support.command import Cli
from tinker_local import LocalServer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

NEEDED = [
    "fastapi",
    "httpx-sse",
    "openai",
    "pydantic",
    "python-dotenv",
    "pyyaml",
    "sse-starlette",
    "typer",
    "chz",
    "rich",
]
SCRIPT = """
import json
from tinkerscope.api import discovery
print(json.dumps([discovery.run_to_dict(run) for run in discovery.list_runs()]))
"""


def test_a_run_is_listed_with_its_checkpoints(repository: Path, tmp_path: Path) -> None:
    # tinkerscope and tinker-cookbook ask for the official distribution; ours is installed after them.
    python = (
        environment(
            "tinkerscope-1.6.1",
            [NEEDED, ["--no-deps", "tinkerscope==1.6.1", "tinker-cookbook==0.6.1"]],
        )
        / "bin"
        / "python"
    )
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-e", repository], check=True)
    rows = [{"prompt": f"{n} plus 1 is ", "completion": f"{n + 1}."} for n in range(24)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with LocalServer() as server:
        cli = Cli(server.url, tmp_path)
        cli.ok(
            "train", "sums.jsonl", "--epochs", "2", "--rank", "4", "--seed", "3", "-o", "runs/first"
        )
        seen = subprocess.run(
            [python, "-c", SCRIPT],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "TINKER_API_KEY": "tml-local",
                "TINKER_BASE_URL": server.url,
                "TINKERSCOPE_SCAN_ROOTS": str(tmp_path),
            },
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
    (run,) = json.loads(seen.stdout.splitlines()[-1])
    assert (run["base_model"], run["lora_rank"], run["seed"]) == ("tinker-local/tiny", 4, 3)
    assert Path(run["dataset_path"]) == (tmp_path / "sums.jsonl").resolve()
    recorded = [
        json.loads(line)
        for line in (tmp_path / "runs/first/checkpoints.jsonl").read_text().splitlines()
    ]
    assert [one["name"] for one in run["checkpoints"]] == [one["name"] for one in recorded]
    assert [one["servable"] for one in run["checkpoints"]] == [
        not one.get("deleted") for one in recorded
    ]
    assert run["checkpoints"][-1]["servable"] is True
