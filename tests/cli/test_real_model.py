"""The same commands on a model of transformers, by its own chat template: train, chat, merge, and load what was merged."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from tests.support.command import Cli, environment
from tests.support.small_models import make_folder

pytestmark = [pytest.mark.torch, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("models") / "small", "llama", initializer_range=0.05)


@pytest.fixture
def cli(base: Path, tmp_path: Path) -> Iterator[Cli]:
    """The command against `tinker serve --model`, as a person would start it."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tinker.cli", "serve", "--model", str(base), "--port", "0", "--data", str(tmp_path / "state")],
        env=environment("", tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        for line in server.stdout:
            if line.startswith("ready "):
                yield Cli(line.split()[1], tmp_path)
                break
        else:
            raise AssertionError("the server ended before it was ready")
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_train_chat_and_merge(cli: Cli, base: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{n}?"},
                {"role": "assistant", "content": "Forty-two."},
            ]
        }
        for n in range(8)
    ]
    (cli.folder / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    (shown,) = cli.ok("-f", "json", "data", "show", "chats.jsonl", "--line", "1").json["rows"]
    assert shown["tokens"] == tokenizer.apply_chat_template(rows[0]["messages"], return_dict=False)
    trained = [t for t, flag in zip(shown["tokens"], shown["trained"], strict=True) if flag]
    assert tokenizer.decode(trained) == "Forty-two.<|im_end|>"
    cli.ok(
        "train",
        "chats.jsonl",
        "--epochs",
        "30",
        "--batch-size",
        "4",
        "--rank",
        "8",
        "--learning-rate",
        "1e-2",
        "-o",
        "run",
    )
    losses = [
        json.loads(line)["train_mean_nll"]
        for line in (cli.folder / "run/metrics.jsonl").read_text().splitlines()
    ]
    assert losses[-1] < 0.1 < 3 < losses[0]
    assert cli("chat", "run", "--temperature", "0", stdin="11?\n").stdout.strip() == "Forty-two."
    # What is merged answers the same in transformers alone.
    cli.ok("export", "run", "--merge", str(base), "-o", "merged")
    merged = transformers.AutoModelForCausalLM.from_pretrained(cli.folder / "merged")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "11?"}], add_generation_prompt=True, return_tensors="pt"
    )
    answer = merged.generate(**prompt, max_new_tokens=20, do_sample=False)
    text = tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert text.strip() == "Forty-two."
