"""A megabyte of mixed text in ids: this client's tokenizers and Hugging Face's, on the same files.

    python benchmarks/tokenizing.py [--smoke]       prints a table

The files are those of tests/compat/tokenizers, which proves that the ids are equal.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = REPOSITORY / ".cache" / "tokenizers"
SPLITS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{%s}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Llama 3": ("llama3/tokenizer.model", SPLITS % "1,3", {"bos": "<|begin_of_text|>"}),
    "Qwen 3": ("qwen/qwen.tiktoken", SPLITS % "1", {"normalizer": "NFC", "every_split": False}),
}


def fastest(action: Callable[..., object], times: int) -> float:
    """Seconds of the fastest run: the others were disturbed."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return min(taken)


def main() -> None:
    sys.path.insert(0, str(REPOSITORY))  # for tests/
    sys.path.append(os.environ.get("TOKENIZERS_FROM", ""))
    from tests.compat.tokenizers import fetch
    from tests.support import original_tokenizers as original
    from tests.support.mixed_text import mixed_text
    from tinker.tokenizers import get_tokenizer

    with contextlib.redirect_stdout(sys.stderr):  # the table is for standard output
        fetch.fetch(FILES)
    smoke = "--smoke" in sys.argv
    text = mixed_text()[: 10_000 if smoke else 1_000_000]
    print("| tokenizing 1 MB | tokenizers | ours | ours ÷ tokenizers | reach | |")
    print("|---|---|---|---|---|---|")
    for name, (file, pattern, options) in CASES.items():
        ours = get_tokenizer(FILES / file)
        vocabulary = ours.get_added_vocab()
        added = sorted(vocabulary, key=vocabulary.__getitem__)
        ranks = original.read_ranks(FILES / file)
        theirs = original.load(original.tokenizer_json(ranks, pattern, added, **options))
        times = 1 if smoke else 5
        their_time = fastest(
            lambda theirs=theirs: theirs.encode(text, add_special_tokens=False), times
        )
        our_time = fastest(lambda ours=ours: ours.encode(text, add_special_tokens=False), times)
        ratio = our_time / their_time
        verdict = "reached" if ratio <= 0.2 else "not reached"
        print(
            f"| {name} | {their_time * 1e3:.0f} ms | {our_time * 1e3:.0f} ms | {ratio:.2f} | ≤ 0.2 | {verdict} |"
        )


if __name__ == "__main__":
    main()
