"""The examples of docs/tokenizers.md run, one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")


def test_examples_run(repository: Path) -> None:
    page = (repository / "docs" / "tokenizers.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    names: dict[str, Any] = {}
    exec("\n".join(examples), names)
    assert names["said"] == "naïve 🙂"
    chat, datum = names["chat"], names["datum"]
    trained = [token for token, one in zip(chat.tokens, chat.trained, strict=True) if one]
    assert names["tokenizer"].decode(trained) == "It is 4.<eos>"
    assert datum.loss_fn_inputs["weights"].to_numpy().sum() == len(trained)
