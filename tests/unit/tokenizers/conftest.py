"""Proves that a tokenizer is found from a name or a path, that its ids are those of Hugging Face's
`tokenizers` on the same file, and that it has the methods that users call. Files are made here;
tests/compat/tokenizers does the like with real ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.small_tokenizers import train


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """GPT-2's kind of tokenizer.json, with `<s>` put before texts."""
    tokenizers = pytest.importorskip("tokenizers")
    content = train(
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False), special=("<s>", "</s>")
    )
    begin = content["added_tokens"][0]["id"]
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [begin], "tokens": ["<s>"]}},
    }
    return content


@pytest.fixture
def folder(tmp_path: Path, small: dict[str, Any]) -> Callable[..., Path]:
    """Makes a folder with the small tokenizer; other files by name, without the ending."""

    def make(**files: Any) -> Path:
        for name, content in {"tokenizer": small, **files}.items():
            if isinstance(content, str):
                (tmp_path / f"{name}.jinja").write_text(content)
            else:
                (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return tmp_path

    return make
