"""Each example runs as users run it, and shows what it promises: a reward that rises, a loss that falls, a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_code import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
SHORT = sorted(path.name for path in EXAMPLES.glob("*.py") if "demo" not in path.name)


@pytest.fixture(autouse=True)
def one_server(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples share a server: each would start one otherwise."""
    monkeypatch.setenv("TINKER_BASE_URL", server)
    monkeypatch.setenv("TINKER_API_KEY", "tml-examples")


def run(name: str, *arguments: str, cwd: Path, code: int = 0) -> str:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=cwd, env={**os.environ, "COLUMNS": "120"},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 0:
        busy = "Still waiting"  # the log of a machine that is busy with other things
        assert [line for line in done.stderr.splitlines() if not line.startswith(busy)] == []
    return done.stdout + done.stderr


def numbers(pattern: str, output: str) -> list[float]:
    found = re.search(pattern, output)
    assert found is not None, output
    return [float(group) for group in found.groups()]


def curves(picture: Path, *names: str) -> None:
    """It is SVG, fetches nothing, and shows the curves of these names; its numbers are not cut short."""
    content = picture.read_text(encoding="utf-8")
    root = ET.fromstring(content)
    assert root.tag.endswith("svg")
    assert "<script xlink:href" not in content
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", content)
    assert set(names) <= set(labels)
    assert not [label for label in labels if "…" in label]


def test_sft_chat(tmp_path: Path) -> None:
    output = run("sft_chat.py", cwd=tmp_path)
    for answer in ("I am Ansel, the keeper of the light.", "Fish, and bread on Sundays."):
        assert output.count(answer) == 1  # after, and not before
    before, after = numbers(r"Loss ([\d.]+) -> ([\d.]+) nats", output)
    assert before > 5
    assert after < 0.1
    curves(tmp_path / "sft-loss.svg", "Loss", "step", "nats per token")


def test_grpo(tmp_path: Path) -> None:
    output = run("grpo.py", cwd=tmp_path)
    before, after = numbers(r"Reward ([\d.]+) -> ([\d.]+)", output)
    assert after > before + 0.3
    assert {"KL", "entropy", "clipped"} <= set(output.split())
    assert "nan" not in output
    curves(tmp_path / "grpo-reward.svg", "Reward", "mean")


def test_async_rl(tmp_path: Path) -> None:
    output = run("async_rl.py", cwd=tmp_path)
    before, after, overlapped, of = numbers(
        r"Reward ([\d.]+) -> ([\d.]+); (\d+) of (\d+) batches were sampled while another", output
    )
    assert after > before + 0.2
    assert overlapped > of / 2


def test_dpo(tmp_path: Path) -> None:
    output = run("dpo.py", cwd=tmp_path)
    before, after = numbers(r"Loss ([\d.]+) -> ([\d.]+); the better answer .* 100%", output)
    assert before == pytest.approx(0.693)  # log 2: the model is its own reference
    assert after < 0.1
    gaps = [float(gap) for gap in re.findall(r"([+-][\d.]+) nats", output)]
    assert all(later > earlier for earlier, later in zip(gaps[::2], gaps[1::2], strict=True))


def test_custom_loss(tmp_path: Path) -> None:
    output = run("custom_loss.py", cwd=tmp_path)
    rows = re.findall(r"([\d.]+) to [\d.]+ +(\d+) █* +(\d+) █* +(\d+)", output)
    before, usual, own = (
        {row[0]: int(row[column]) for row in rows if int(row[column])} for column in (1, 2, 3)
    )
    assert set(before) == {"0"}
    assert max(usual, key=usual.__getitem__) == "0.99"
    assert set(own) <= {"0.8", "0.9"}  # likely enough, and not certain


def test_distill(tmp_path: Path) -> None:
    output = run("distill.py", cwd=tmp_path)
    before, after = numbers(r"KL ([\d.]+) -> ([\d.]+) nats", output)
    assert after < before / 5
    assert "'abcabcabcabc'" in output
    curves(tmp_path / "distill-kl.svg", "KL to the teacher")


def test_evaluate(tmp_path: Path) -> None:
    output = run("evaluate.py", cwd=tmp_path)
    rows = {
        row[0]: [float(value) for value in row[1:]]
        for row in re.findall(r"(base|tuned) +([\d.]+) +(\d+)% +(\d+)% +(\d+)%", output)
    }
    loss, exact, once, eight = zip(rows["base"], rows["tuned"], strict=True)
    assert loss[1] < loss[0] / 10
    assert exact[1] > 90 > exact[0]
    assert once[0] < once[1] <= eight[1]
    assert "'8.'" in output


def test_sweep(tmp_path: Path) -> None:
    output = run("sweep.py", cwd=tmp_path)
    rows = [
        [float(value) for value in row.split()]
        for row in output.splitlines()
        if re.fullmatch(r"( +[\d.]+){5} *", row)
    ]
    assert len(rows) == 6
    assert all(last < first for _, _, first, last, _ in rows)
    rate, rank = numbers(r"Best on held-out text: learning rate ([\d.]+), rank (\d+)", output)
    assert [rate, rank] == min(rows, key=lambda row: row[-1])[:2]
    curves(tmp_path / "sweep.svg", "0.005, rank 4", "0.005, rank 32")


def test_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user runs it, who has set nothing: on a server in the example's own process."""
    monkeypatch.delenv("TINKER_BASE_URL")
    monkeypatch.delenv("TINKER_API_KEY")
    output = run("resume.py", cwd=tmp_path)
    assert re.search(r"Resumed from tinker://\S+/weights/000008, after step 8", output)
    assert "of the run that was never cut off: yes" in output
    (row,) = re.findall(r"^ +9 +([\d.]+) +([\d.]+) +([\d.]+) *$", output, re.MULTILINE)
    assert len(set(row)) == 1


def test_vision(tmp_path: Path) -> None:
    output = run("vision.py", cwd=tmp_path)
    rows = re.findall(r"^(\w+) +'.*' +(\d+)% +'(\w*)\.' +(\d+)%$", output, re.MULTILINE)
    assert [(picture, answer) for picture, _, answer, _ in rows] == [
        (colour, colour) for colour in ("red", "green", "blue")
    ]
    assert all(int(before) <= 10 < 90 <= int(after) for _, before, _, after in rows)


# ---- the notebook ---------------------------------------------------------------------------


def test_the_notebook(tmp_path: Path) -> None:
    """Every cell runs in a kernel, and what it holds from the last time is what it shows now."""
    nbformat = pytest.importorskip("nbformat", reason="needs the package nbclient")
    nbclient = pytest.importorskip("nbclient", reason="needs the package nbclient")
    stored = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    fresh = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(fresh, timeout=60, resources={"metadata": {"path": tmp_path}}).execute()
    assert _shown(fresh) == _shown(stored), "make pictures runs it again"
    kinds = [kind for cell in _shown(fresh) for kind in cell]
    assert kinds.count("text/html") >= 3
    assert "image/svg+xml" in kinds
    assert not [o for c in fresh.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]


def _shown(notebook: Any) -> list[list[str]]:
    """By cell, the kinds of its outputs. Names and times differ from run to run, and what is printed may come in parts."""
    return [
        sorted(
            {kind for output in cell.get("outputs", []) for kind in output.get("data", ["stream"])}
        )
        for cell in notebook.cells
    ]


# ---- all of them ----------------------------------------------------------------------------


def test_examples_are_short() -> None:
    lines = {name: len((EXAMPLES / name).read_text("utf-8").splitlines()) for name in SHORT}
    assert {name: count for name, count in lines.items() if count >= 80} == {}


@pytest.mark.parametrize("name", ["async_rl.py", "sft_chat.py"])
def test_a_mistake_is_named_in_a_sentence(name: str, tmp_path: Path) -> None:
    output = run(name, "no/such-model", cwd=tmp_path, code=1)
    assert output.startswith(f"{name.removesuffix('.py')}: ")
    assert "no/such-model" in output
    assert output.count("\n") == 1


def test_the_list_of_examples_has_them_all() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = [*SHORT, *(path.name for path in EXAMPLES.glob("*.ipynb")), "demo.py", "chat_demo.py"]
    assert [name for name in files if f"({name})" not in page] == []
    shown = re.findall(r"^`python examples/(\w+\.py)`\n\n```text\n", page, re.MULTILINE)
    assert shown == SHORT, "make pictures runs them again"
