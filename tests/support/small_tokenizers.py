"""Small tokenizers, trained on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TRAINING_TEXT = (Path(__file__).parents[2] / "pyproject.toml").read_text() * 2 + (
    "It's the end. They'LL say WE'VE gone 1234 times! Größe, naïve café.\n\n"
    "数字と漢字、カタカナ。中文字符 한국어 русский עברית العربية 😀👩\u200d👩\u200d👧 e\u0301\n\t  \r\n"
) * 20


def train(pre_tokenizer: Any, *, size: int = 1500, special: tuple[str, ...] = ()) -> dict[str, Any]:
    """The content of a tokenizer.json with a small byte-level BPE, trained with `pre_tokenizer`."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT.splitlines(keepends=True), trainer)
    tokenizer.add_special_tokens(list(special))
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    return content
