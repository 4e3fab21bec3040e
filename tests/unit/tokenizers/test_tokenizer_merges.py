"""Whatever the list of merges, tiktoken is taken only when its ids are those of the list.

Lists are drawn over few letters, so that tokens overlap in every way: in any order, with several
pairs for a token, with tokens that no merge makes.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

pytest.importorskip("tokenizers")

import tokenizers

from tinker.tokenizers._byte_level import ByteLevelBackend
from tinker.tokenizers._hf_json import parts_from_json
from tinker.tokenizers._merges import NotConvertible

BYTES = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def _spec(words: list[str], merges: list[list[str]], ignore_merges: bool) -> dict[str, Any]:
    vocab = {token: id_ for id_, token in enumerate([*BYTES, *words])}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": vocab,
            "merges": merges,
            "ignore_merges": ignore_merges,
        },
    }


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    words = draw(
        st.lists(st.text("abc", min_size=2, max_size=5), min_size=1, max_size=10, unique=True)
    )
    known = {*"abc", *words}
    splits = [
        [word[:i], word[i:]]
        for word in words
        for i in range(1, len(word))
        if word[:i] in known and word[i:] in known
    ]
    kind = draw(st.sampled_from(["any", "every split", "every split, by token"]))
    if kind == "any":
        merges = draw(st.lists(st.sampled_from(splits), unique_by=tuple)) if splits else []
    else:
        merges = splits if kind == "every split, by token" else draw(st.permutations(splits))
    shuffled = draw(st.permutations(words)) if draw(st.booleans()) else words
    return _spec(list(shuffled), list(merges), draw(st.booleans()))


@settings(max_examples=120)
@given(spec=specs(), texts=st.lists(st.text("abc", max_size=14), min_size=5, max_size=20))
def test_converted_means_the_same_ids(spec: dict[str, Any], texts: list[str]) -> None:
    try:
        ours = ByteLevelBackend(parts_from_json(spec, "drawn"))
    except NotConvertible:
        assume(False)
    theirs = tokenizers.Tokenizer.from_str(json.dumps(spec))
    for text in [*texts, *spec["model"]["vocab"]]:
        if text.isascii():
            ids = ours.encode(text, add_special_tokens=False)
            assert ids == theirs.encode(text).ids, text
            assert ours.decode(ids, skip_special_tokens=False) == text


@settings(max_examples=100)
@given(data=st.data())
def test_lists_in_the_order_of_training_are_converted(data: st.DataObject) -> None:
    # As training goes: each merge takes the commonest pair of what the text has become.
    text = data.draw(st.text("abc", min_size=10, max_size=60))
    parts, merges = list(text), []
    for _ in range(6):
        pairs = [(a, b) for a, b in itertools.pairwise(parts)]
        if not pairs:
            break
        a, b = max(sorted(set(pairs)), key=pairs.count)
        merges.append([a, b])
        merged: list[str] = []
        while parts:
            both = parts[:2] == [a, b]
            merged.append(a + b if both else parts[0])
            del parts[: 2 if both else 1]
        parts = merged
    words = [a + b for a, b in merges]
    assume(len(set(words)) == len(words))
    parts_from_json(_spec(words, merges, ignore_merges=False), "drawn")


@pytest.mark.parametrize(
    ("words", "merges", "why"),
    [
        (["ab"], [], "lists no merge"),
        (["ab", "abc", "bc"], [["a", "b"], ["b", "c"], ["a", "bc"]], "lists no merge"),
    ],
)
def test_what_would_differ_is_refused(words: list[str], merges: list[list[str]], why: str) -> None:
    with pytest.raises(NotConvertible, match=why):
        parts_from_json(_spec(words, merges, ignore_merges=True), "drawn")
