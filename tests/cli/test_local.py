"""TINKER_BASE_URL=local: no server but the one inside each command, and what one command saved the next one finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Cli
from tests.support.small_models import make_folder
from tinker_local import LocalServer


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    rows = [{"prompt": f"{n}?", "completion": " Forty-two."} for n in range(8)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Cli("local", tmp_path)


TRAIN = ["train", "data.jsonl", "--epochs", "1", "--rank", "4", "-o", "run"]


def next_lines(stderr: str) -> list[list[str]]:
    """The commands that a run ends with, as a person would copy them."""
    lines = stderr.partition("Next:\n")[2].splitlines()
    return [line.split()[1:] for line in lines]


def test_the_lines_to_type_next_work(cli: Cli) -> None:
    trained = cli.ok(*TRAIN)
    chat, export, train = next_lines(trained.stderr)
    assert cli.ok(*chat, "--max-tokens", "3", stdin="2?\n").stdout
    cli.ok(*export)
    train[train.index("DATA")] = "data.jsonl"
    cli.ok(*train, "--epochs", "1", "--dry-run")
    runs = cli.ok("-f", "json", "run", "list").json["runs"]
    assert trained.stdout.split("/")[2] in [run["training_run_id"] for run in runs]


def test_two_at_once_are_told_how_to_share(cli: Cli) -> None:
    with LocalServer(cli.folder / ".tinker-local"):
        refused = cli("run", "list")
    assert refused.status == 1
    assert ".tinker-local is used by another server" in refused.stderr
    assert "tinker serve" in refused.stderr


def test_a_missing_folder_is_reported(cli: Cli) -> None:
    refused = cli(*TRAIN, "--model", "./none")
    assert refused.status == 1
    assert "The model's folder or file ./none does not exist." in refused.stderr


@pytest.mark.torch
@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_folder_with_a_model_needs_no_server_either(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    model = make_folder(tmp_path / "models" / "small", "llama", initializer_range=0.05)
    _, export, train = next_lines(cli.ok(*TRAIN, "--model", str(model)).stderr)
    cli.ok(*export)
    train[train.index("DATA")] = "data.jsonl"
    cli.ok(*train, "--epochs", "1", "--dry-run")
    assert cli.ok("sample", str(model), "2?", "--max-tokens", "3").stdout
