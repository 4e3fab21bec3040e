"""Ids that come one at a time read as they do together."""

from __future__ import annotations

from hypothesis import given, strategies as st

from tinker.tokenizers import IncrementalDecoder, get_tokenizer

TOKENIZER = get_tokenizer("tinker-local/tiny")


def pieces(ids: list[int]) -> list[str]:
    decoder = IncrementalDecoder(TOKENIZER)
    return [*(decoder.push(id_) for id_ in ids), decoder.finish()]


@given(st.text())
def test_a_text_comes_character_by_character(text: str) -> None:
    told = pieces(list(text.encode()))
    assert "".join(told) == text
    assert [piece for piece in told if piece] == list(text)


@given(st.lists(st.integers(0, 255), max_size=30))
def test_tokens_without_text_read_as_decoded_whole(ids: list[int]) -> None:
    assert "".join(pieces(ids)) == TOKENIZER.decode(ids)


def test_a_character_comes_with_its_last_token() -> None:
    assert pieces(list("a€".encode())) == ["a", "", "", "€", ""]
    assert pieces([0xE2, 0x82]) == ["", "", "\ufffd"]
