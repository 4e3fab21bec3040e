"""Kimi's own tokenizer cuts long texts before tiktoken sees them; so must ours, since a cut may
change the ids around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import tiktoken

from tests.compat.tokenizers.test_exact_ids import KIMI
from tests.support import original_tokenizers as original
from tinker.tokenizers import get_tokenizer

PART, RUN = 400_000, 25_000


def _cut_as_published(text: str) -> Iterator[str]:
    """Parts of 400,000 characters; in each a cut when a run of (non-)spaces has 25,000."""
    for part in (text[i : i + PART] for i in range(0, len(text), PART)):
        begin, length, space = 0, 0, part[:1].isspace()
        for i, character in enumerate(part):
            if character.isspace() != space:
                length, space = 1, not space
                continue
            length += 1
            if length > RUN:
                yield part[begin:i]
                begin, length = i, 1
        yield part[begin:]


def test_texts_are_cut_as_the_published_tokenizer_does(
    real_file: Callable[[str], Path], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "tiktoken.model"
    ranks = original.read_ranks(real_file("qwen3.5/qwen.tiktoken"))
    original.write_ranks(file, {token: rank for token, rank in ranks.items() if rank < 163_584})
    published = tiktoken.Encoding(
        "kimi", pat_str=KIMI, mergeable_ranks=original.read_ranks(file), special_tokens={}
    )
    ours = get_tokenizer(file)
    for long in (
        text,
        "ab" * 40_000 + " c" * 100 + "d" * 25_001,
        "word " * 90_000,
        "中" * 70_000 + " " * 75_001 + "x",
        "x" * 24_999 + " " * 25_000 + "y" * 25_000 + " " * 25_001,
        " " * 2_000_000,
    ):
        expected = [
            id_ for piece in _cut_as_published(long) for id_ in published.encode_ordinary(piece)
        ]
        assert ours.encode(long, add_special_tokens=False) == expected
        assert ours.decode(expected) == long
