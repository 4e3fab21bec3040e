"""Code in docstrings runs, in a program that has a service, a run, a sampler and some data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinker
from tinker.recipes import Training, TrainSettings
from tinker.tokenizers import get_tokenizer, trained_tokens
from tinker_local import LocalServer

REPOSITORY = Path(__file__).parents[2]
NOT_RUN = {
    "tinker/tokenizers/__init__.py": "it reads a tokenizer from the Hugging Face hub",
}


def examples(path: Path) -> list[str]:
    """Indented paragraphs of a module's docstrings that are Python with a call or an import in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            for block in re.findall(r"(?:^|\n)\n((?: {4}.*\n*)+)", text):
                code = re.sub(r"^ {4}", "", block, flags=re.MULTILINE)
                if is_python(code):
                    found.append(code)
    return found


def is_python(code: str) -> bool:
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return False
    return any(isinstance(node, ast.Call | ast.Import | ast.ImportFrom) for node in ast.walk(tree))


EXAMPLES = [
    pytest.param(code, id=f"{path.relative_to(REPOSITORY)}-{number}")
    for room in ("tinker", "tinker_local")
    for path in sorted((REPOSITORY / room).rglob("*.py"))
    if path.relative_to(REPOSITORY).as_posix() not in NOT_RUN
    for number, code in enumerate(examples(path))
]


@pytest.fixture(scope="module")
def names(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with tinker.ServiceClient(base_url=server) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=4).result()
        sampler = service.create_sampling_client(base_model="tinker-local/tiny").result()
        rows = tmp_path_factory.mktemp("data") / "rows.jsonl"
        rows.write_text('{"prompt": "1 + 1 = ", "completion": "2"}\n' * 4)
        settings = TrainSettings(data=str(rows), num_epochs=1, log_path=str(rows.parent / "run"))
        prompt = tinker.ModelInput.from_ints(list(b"Once upon a time"))
        yield {
            **{name: getattr(tinker, name) for name in ("Datum", "ModelInput", "NumpyLoss", "SamplingParams")},
            "LocalServer": LocalServer, "np": np, "tinker": tinker, "trained_tokens": trained_tokens, "Training": Training,
            "settings": settings,
            "service": service, "training": training, "client": sampler, "prompt": prompt,
            "datum": tinker.Datum(prompt), "tokenizer": get_tokenizer("tinker-local/bytes"),
            "messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}],
        }  # fmt: skip


@pytest.mark.parametrize("code", EXAMPLES)
def test_runs(
    code: str, names: dict[str, Any], server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINKER_BASE_URL", server)
    exec(compile(code, "docstring", "exec"), dict(names))


def test_some_are_found() -> None:
    assert len(EXAMPLES) >= 6
