"""Normalisation is that of Hugging Face's normalizers, whatever Unicode version Python knows."""

from __future__ import annotations

import unicodedata
from typing import get_args

import pytest
from hypothesis import given, strategies as st

pytest.importorskip("tokenizers")

from tokenizers import normalizers

from tinker.tokenizers._normalize import Form, normalize

FORMS = get_args(Form)
CHARACTERS = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
MARKS = [character for character in CHARACTERS if unicodedata.combining(character)]


@pytest.mark.parametrize("form", FORMS)
def test_every_character(form: Form) -> None:
    theirs = getattr(normalizers, form)()
    for character in CHARACTERS:
        assert normalize(form, character) == theirs.normalize_str(character), ascii(character)


@pytest.mark.parametrize("form", FORMS)
def test_every_mark_among_others(form: Form) -> None:
    theirs = getattr(normalizers, form)()
    for mark in MARKS:
        for text in (
            f"a{mark}\u0316\u0301",
            f"e\u0301{mark}",
            f"\u0345{mark}",
            f"o{mark}{mark}\u0308",
        ):
            assert normalize(form, text) == theirs.normalize_str(text), ascii(text)


@pytest.mark.parametrize("form", FORMS)
@given(
    st.lists(st.sampled_from([*MARKS, *"aeoAE\u1100\u1161\u11a8\U00011935\U00011930\ufb01\n"])).map(
        "".join
    )
)
def test_marks_in_any_order(form: Form, text: str) -> None:
    assert normalize(form, text) == getattr(normalizers, form)().normalize_str(text)
