"""What the README and the examples show runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout


def test_the_loop_of_the_readme(repository: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    output = run("-c", code, cwd=tmp_path)
    assert "'loss:sum'" in output
    assert re.search(r"tinker://[0-9a-f-]+:train:0/sampler_weights/demo", output)


def test_the_demo_on_its_own_server(repository: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 4)
    output = run(repository / "examples" / "demo.py", "--text", text, "--steps", "12", cwd=tmp_path)
    for line in ("steps  11 to  12", "forward_backward metrics", "seq_ids", "Before", "After"):
        assert line in output
    first, last = re.search(r"Loss +([\d.]+) -> ([\d.]+) nats", output).groups()  # type: ignore[union-attr]
    assert float(last) < float(first)
    curve = (tmp_path / "demo-output" / "loss.svg").read_text()
    assert curve.startswith("<?xml")
    assert "<script xlink:href" not in curve  # it fetches nothing
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", curve)
    assert {"Training loss", "step", "nats per token"} <= set(labels)
    assert not [label for label in labels if "…" in label]


def test_the_picture_of_the_readme_is_one_of_the_demo(repository: Path) -> None:
    """`make pictures` draws it."""
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", (repository / "docs/loss.svg").read_text())
    assert {"Training loss", "step", "nats per token", "20", "120"} <= set(labels)
    assert not [label for label in labels if "…" in label]


def test_the_demo_on_a_server_named_by_the_environment(
    repository: Path, tmp_path: Path, server: str
) -> None:
    """It learns the README, wherever it is started."""
    output = run(
        repository / "examples" / "demo.py", "--steps", "2",
        cwd=tmp_path, TINKER_BASE_URL=server, TINKER_API_KEY="tml-key",
    )  # fmt: skip
    assert server in output


def test_the_demo_says_in_a_sentence_what_is_wrong(repository: Path, tmp_path: Path) -> None:
    for arguments, environment, reason in (
        (["--text", "nowhere.txt"], {}, "demo: [Errno 2] No such file or directory: 'nowhere.txt'"),
        (
            ["--text", str(repository / "README.md")],
            {"TINKER_BASE_URL": "https://tinker.invalid"},
            "demo: No API key for https://tinker.invalid: set TINKER_API_KEY or pass api_key.",
        ),
    ):
        result = subprocess.run(
            [sys.executable, repository / "examples" / "demo.py", *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 1
        assert result.stderr.startswith(reason)
        assert result.stderr.count("\n") == 1


def test_a_session_with_the_server_inside_the_process_ends_in_silence(tmp_path: Path) -> None:
    code = "import tinker; print(tinker.ServiceClient(base_url='local').get_server_capabilities())"
    train = "tinker.ServiceClient(base_url='local').create_lora_training_client('tinker-local/tiny').result()"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}; client = {train}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
