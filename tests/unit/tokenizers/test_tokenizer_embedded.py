"""The embedded server's tokenizer: bytes, with nothing needed from anywhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from tinker.tokenizers import TokenizerError, get_tokenizer


@given(st.text())
def test_ids_are_the_bytes(text: str) -> None:
    tokenizer = get_tokenizer("tinker-local/bytes")
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    if "<eos>" not in text:
        assert ids == list(text.encode())


def test_eos_is_256() -> None:
    tokenizer = get_tokenizer("tinker-local/bytes")
    assert tokenizer.eos_token_id == 256
    assert len(tokenizer) == 257
    assert tokenizer.encode("a<eos>") == [97, 256]
    assert tokenizer.decode([97, 256], skip_special_tokens=True) == "a"


def test_the_models_name_will_do() -> None:
    assert get_tokenizer("tinker-local/tiny") is get_tokenizer("tinker-local/bytes")


def test_a_cut_character_is_marked() -> None:
    assert get_tokenizer("tinker-local/bytes").decode("é".encode()[:1]) == "\ufffd"


def test_ids_beyond_the_vocabulary_have_no_text() -> None:
    """A model's vocabulary is often padded, so that it may sample such ids."""
    assert get_tokenizer("tinker-local/bytes").decode([97, 257, 98, 99999]) == "ab"


@pytest.mark.parametrize("ids", [[-1], [257, -1], [1.5], ["a"], [None]])
def test_no_tokens_id(ids: list[int]) -> None:
    with pytest.raises(TokenizerError, match="not a token id of"):
        get_tokenizer("tinker-local/bytes").decode(ids)


@pytest.mark.parametrize("text", [None, 1, b"bytes", ["text"]])
def test_only_text_is_encoded(text: object) -> None:
    with pytest.raises(TypeError, match="encodes a str"):
        get_tokenizer("tinker-local/bytes").encode(text)  # type: ignore[arg-type]


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(TokenizerError, match=r"unpaired surrogate .* at index 1"):
        get_tokenizer("tinker-local/bytes").encode("a\ud800")


def test_long_texts() -> None:
    tokenizer = get_tokenizer("tinker-local/bytes")
    for text in (" " * 1_500_000, "ab" * 500_000):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_needs_nothing_of_hugging_face() -> None:
    program = """
import sys
for name in ("tokenizers", "huggingface_hub", "transformers", "jinja2"):
    sys.modules[name] = None  # importing it fails
from tinker.tokenizers import get_tokenizer
print(get_tokenizer("tinker-local/tiny").encode("hi"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[104, 105]"
