"""Each known pattern cuts text into the pieces that Hugging Face's tokenizers cut it into."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from tests.support.small_tokenizers import TRAINING_TEXT, train

pytest.importorskip("tokenizers")

import tokenizers

from tinker.tokenizers import Tokenizer, _patterns as known, get_tokenizer

PATTERNS = {
    "gpt2": None,
    "cl100k": [known.CL100K],
    "qwen": [known.QWEN],
    "qwen3.5": [known.QWEN_3_5],
    "o200k": [known.O200K],
    "tekken": [known.TEKKEN],
    "kimi": [known.KIMI],
    "deepseek": list(known.DEEPSEEK_SPLITS),
}


def _pre_tokenizer(patterns: list[str] | None, behavior: str, invert: bool) -> Any:
    pre = tokenizers.pre_tokenizers
    if patterns is None:
        return pre.ByteLevel(add_prefix_space=False)
    splits = [pre.Split(tokenizers.Regex(p), behavior=behavior, invert=invert) for p in patterns]
    return pre.Sequence([*splits, pre.ByteLevel(add_prefix_space=False, use_regex=False)])


@pytest.fixture(scope="module", params=PATTERNS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    spec = train(_pre_tokenizer(PATTERNS[request.param], "isolated", False), size=3000)
    folder = tmp_path_factory.mktemp("pattern")
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    return get_tokenizer(folder), tokenizers.Tokenizer.from_str(json.dumps(spec))


ALPHABET = st.one_of(
    st.sampled_from("abcXYZ'sSlLtT019 \t\n\r.,!/-<>_\u017f\u2028\xa0\u3000\u0301\u200d\u0378"),
    st.sampled_from(
        "\u3097\u309a\u309b\u30a0\u30fb\u30fc中文字アさ・9\u216f²한ß\u01c5\u0130\U0001f600"
    ),
    st.characters(codec="utf-8"),
)


@settings(max_examples=300)
@given(text=st.text(ALPHABET, max_size=30))
@example(text="DON'T we'\u017f they'LL I'm 'S")
@example(text="ア\u3097ア・\u3099\u309bx\u30019中")
@example(text="  \n \n\n  x \r\n\t1234567 \u20281")
def test_the_same_pieces(both: tuple[Tokenizer, Any], text: str) -> None:
    ours, theirs = both
    assert type(ours._backend).__name__ == "ByteLevelBackend"
    assert ours.encode(text) == theirs.encode(text).ids


@settings(max_examples=150)
@given(text=st.text(ALPHABET, max_size=30))
def test_the_same_pieces_in_the_engine_for_long_runs(
    both: tuple[Tokenizer, Any], text: str
) -> None:
    # Engines may know another version of Unicode each, so only characters known for long.
    text = "".join(c for c in text if unicodedata.category(c) != "Cn" or c in "\u0378\u3097")
    ours, theirs = both
    backend: Any = ours._backend
    pieces = theirs.pre_tokenizer.pre_tokenize_str(text)
    assert list(backend._splitter(text)) == [text[slice(*span)] for _, span in pieces]


def test_the_training_text(both: tuple[Tokenizer, Any]) -> None:
    ours, theirs = both
    ids = ours.encode(TRAINING_TEXT)
    assert ids == theirs.encode(TRAINING_TEXT).ids
    assert ours.decode(ids) == TRAINING_TEXT


@settings(max_examples=100)
@given(text=st.text(ALPHABET, max_size=20))
def test_kept_matches_alone(both_removed: tuple[Tokenizer, Any], text: str) -> None:
    ours, theirs = both_removed
    assert ours.encode(text) == theirs.encode(text).ids


@pytest.fixture(scope="module")
def both_removed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    spec = train(_pre_tokenizer([known.TEKKEN], "removed", True))
    folder: Path = tmp_path_factory.mktemp("removed")
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    ours = get_tokenizer(folder)
    assert type(ours._backend).__name__ == "ByteLevelBackend"
    return ours, tokenizers.Tokenizer.from_str(json.dumps(spec))


def test_other_patterns_run_on_hugging_faces_library(tmp_path: Path) -> None:
    spec = train(_pre_tokenizer([r"\w+|\W"], "isolated", False))
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec))
    ours = get_tokenizer(tmp_path)
    assert type(ours._backend).__name__ == "HuggingFaceBackend"
    theirs = tokenizers.Tokenizer.from_str(json.dumps(spec))
    assert ours.encode(TRAINING_TEXT) == theirs.encode(TRAINING_TEXT).ids
