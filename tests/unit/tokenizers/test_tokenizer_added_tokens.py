"""Added tokens are cut out of text just as Hugging Face's tokenizers do it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, note, settings, strategies as st

pytest.importorskip("tokenizers")

import tokenizers

from tinker.tokenizers._byte_level import ByteLevelBackend
from tinker.tokenizers._hf_json import parts_from_json
from tinker.tokenizers._merges import NotConvertible

CONTENTS = ["<a>", "<a>b", "b", "bc", "<", "a<", "é", "e\u0301", "\n\n", " x", "Ġy"]


@st.composite
def added_tokens(draw: st.DrawFn) -> list[dict[str, Any]]:
    contents = draw(st.lists(st.sampled_from(CONTENTS), unique=True, max_size=6))
    flag = st.booleans()
    return [
        {
            "content": content,
            "single_word": False,
            "lstrip": draw(flag),
            "rstrip": draw(flag),
            "normalized": draw(flag),
            "special": draw(flag),
        }
        for content in contents
    ]


TEXTS = st.lists(
    st.sampled_from([*CONTENTS, "a", "c", "y", " ", "\n", "\t", "\u3000", "\x1c", "\u0301", ">"]),
    max_size=12,
).map("".join)


@settings(max_examples=60)
@given(
    entries=added_tokens(),
    normalizer=st.sampled_from([None, "NFC", "NFD", "NFKC"]),
    texts=st.lists(TEXTS, min_size=3, max_size=10),
)
def test_the_same_ids(
    small: dict[str, Any], entries: list[dict[str, Any]], normalizer: str | None, texts: list[str]
) -> None:
    vocab = small["model"]["vocab"]
    next_id = len(vocab)
    for entry in entries:
        entry["id"] = vocab.get(entry["content"], next_id)
        next_id += entry["content"] not in vocab
    spec = {**small, "added_tokens": entries, "post_processor": None}
    spec["normalizer"] = {"type": normalizer} if normalizer else None
    try:
        ours = ByteLevelBackend(parts_from_json(spec, "drawn"))
    except NotConvertible:
        assume(False)
    theirs = tokenizers.Tokenizer.from_str(json.dumps(spec))
    for text in texts:
        note(
            f"{normalizer} {[(e['content'], e['id'], [k for k in e if e[k] is True]) for e in entries]} {text!a}"
        )
        ids = ours.encode(text, add_special_tokens=False)
        assert ids == theirs.encode(text).ids, text
        for skip in (False, True):
            expected = theirs.decode(ids, skip_special_tokens=skip)
            assert ours.decode(ids, skip_special_tokens=skip) == expected
