"""What in a tokenizer.json keeps it from tiktoken: each is named, and Hugging Face's library reads such files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tinker.tokenizers import TokenizerError
from tinker.tokenizers._byte_level import ByteLevelBackend
from tinker.tokenizers._hf_json import parts_from_json
from tinker.tokenizers._merges import NotConvertible

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False}
SPLIT = {"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {"Regex": "a"}}
TEXT = {"Sequence": {"id": "A", "type_id": 0}}


def template(*single: Any) -> dict[str, Any]:
    return {"type": "TemplateProcessing", "single": list(single), "special_tokens": {}}


def added(content: str, id_: int, **flags: bool) -> dict[str, Any]:
    kept = dict.fromkeys(("special", "single_word", "lstrip", "rstrip", "normalized"), False)
    return {"content": content, "id": id_, **kept, **flags}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": {"type": "Unigram"}}, "the model is not BPE"),
        ({"model": {"dropout": 0.1}}, "the model has dropout"),
        ({"model": {"end_of_word_suffix": "</w>"}}, "the model has end_of_word_suffix"),
        ({"model": {"merges": ["a b c"]}}, "names a token that is not in the vocabulary"),
        ({"model": {"merges": [["a", "no such token"]]}}, "names a token that is not in the voc"),
        ({"model": {"vocab": {"a": 0, "\u6f22": 1}, "merges": []}}, "not in the alphabet of bytes"),
        ({"model": {"vocab": {"a": 0}, "merges": []}}, "not every byte is a token"),
        ({"pre_tokenizer": None}, "not a known pattern"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "not a known pattern"),
        ({"pre_tokenizer": {**BYTE_LEVEL, "use_regex": False}}, "not a known pattern"),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [SPLIT, BYTE_LEVEL]}},
            "not a known pattern",
        ),
        ({"decoder": None}, "the decoder is not ByteLevel"),
        ({"normalizer": {"type": "Lowercase"}}, "not one of Unicode's normal forms alone"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFD"}]}},
            "not one of Unicode's normal forms alone",
        ),
        ({"post_processor": {"type": "BertProcessing"}}, "the post-processor is not a template"),
        ({"post_processor": template(TEXT, TEXT)}, "exactly one place for the text"),
        ({"post_processor": template()}, "exactly one place for the text"),
        ({"added_tokens": [added("<x>", 9)]}, "'<x>' is out of order"),
        ({"added_tokens": [added("", 0)]}, "'' is empty or duplicated"),
        (
            {"added_tokens": [added("<x>", 1500), added("<x>", 1500)]},
            "'<x>' is empty or duplicated",
        ),
        ({"added_tokens": [added("<x>", 0, single_word=True)]}, "matches whole words only"),
    ],
)
def test_what_keeps_a_file_from_tiktoken(
    small: dict[str, Any], changes: dict[str, Any], why: str
) -> None:
    spec = {**small, "post_processor": None, "added_tokens": []}
    for key, change in changes.items():
        spec[key] = {**spec[key], **change} if key == "model" else change
    with pytest.raises(NotConvertible, match=why):
        parts_from_json(spec, "changed")


def test_added_tokens_that_hugging_faces_library_treats_in_its_own_way(
    small: dict[str, Any],
) -> None:
    size = len(small["model"]["vocab"])
    spec = {**small, "post_processor": None}
    stripped = [added("<x>", size, rstrip=True), added(" y", size + 1)]
    with pytest.raises(NotConvertible, match="stripped as white space after another"):
        parts_from_json({**spec, "added_tokens": stripped}, "stripped")
    composed = [added("e\u0301", size, normalized=True)]
    with pytest.raises(NotConvertible, match="is not normalized itself"):
        parts_from_json(
            {**spec, "added_tokens": composed, "normalizer": {"type": "NFC"}}, "composed"
        )


def test_where_tokens_stand_in_the_text(small: dict[str, Any]) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    size = len(small["model"]["vocab"])
    wide = added("<x>", size, lstrip=True, rstrip=True, normalized=False)
    spec = {**small, "post_processor": None, "added_tokens": [wide]}
    text = "the \n <x>  end <x>"
    theirs = tokenizers.Tokenizer.from_str(json.dumps(spec)).encode(text)
    ours = ByteLevelBackend(parts_from_json(spec, "wide"))
    assert ours.encode_with_offsets(text)[0] == theirs.ids
    found = [text[begin:end] for begin, end in ours.encode_with_offsets(text)[1]]
    assert "".join(found).split() == ["the", "<x>", "end", "<x>"]
    assert ours.encode_with_offsets(text)[1] == theirs.offsets
    composing = ByteLevelBackend(
        parts_from_json({**spec, "added_tokens": [], "normalizer": {"type": "NFC"}}, "composing")
    )
    with pytest.raises(TokenizerError, match="does not match the text: is it normalized?"):
        composing.encode_with_offsets("e\u0301")
