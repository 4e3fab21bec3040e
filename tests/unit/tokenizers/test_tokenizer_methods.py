"""The methods that users call on a Hugging Face tokenizer, and what they give."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinker.tokenizers import Tokenizer, TokenizerError, get_tokenizer


@pytest.fixture
def tokenizer(folder: Callable[..., Path]) -> Tokenizer:
    return get_tokenizer(folder(tokenizer_config={"bos_token": "<s>", "eos_token": "</s>"}))


def test_encode_with_and_without_special_tokens(tokenizer: Tokenizer) -> None:
    plain = tokenizer.encode("the end", add_special_tokens=False)
    assert tokenizer.encode("the end") == [tokenizer.bos_token_id, *plain]
    assert tokenizer.encode("") == [tokenizer.bos_token_id]
    assert all(type(id_) is int for id_ in plain)


def test_decode_takes_one_id_a_list_an_array_and_a_batch(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the end", add_special_tokens=False)
    for form in (ids, tuple(ids), iter(ids), np.array(ids), np.array(ids, dtype=np.int32)):
        assert tokenizer.decode(form) == "the end"
    assert tokenizer.decode(ids[0]) == tokenizer.decode(ids[:1])
    assert tokenizer.decode([]) == ""
    assert tokenizer.decode([ids, ids[:0]]) == ["the end", ""]
    assert tokenizer.batch_decode([ids, np.array(ids)]) == ["the end", "the end"]


def test_decode_can_leave_special_tokens_out(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the end</s>")
    assert tokenizer.decode(ids) == "<s>the end</s>"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "the end"
    assert "<s>" not in tokenizer.convert_ids_to_tokens(ids, skip_special_tokens=True)


@pytest.mark.parametrize("ids", ["text", None, 1.5])
def test_decode_rejects_what_is_not_ids(tokenizer: Tokenizer, ids: Any) -> None:
    with pytest.raises(TypeError, match="Token ids are ints"):
        tokenizer.decode(ids)


def test_cleaning_up_is_refused(tokenizer: Tokenizer) -> None:
    assert tokenizer.decode([5], clean_up_tokenization_spaces=False)
    with pytest.raises(TokenizerError, match="would change the text"):
        tokenizer.decode([5], clean_up_tokenization_spaces=True)


def test_calling_it(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the end")
    one = tokenizer("the end")
    assert one == {"input_ids": ids, "attention_mask": [1] * len(ids)}
    assert one.input_ids == one["input_ids"]
    two = tokenizer(["the end", "x"], add_special_tokens=False, truncation=True, max_length=1)
    assert [len(row) for row in two.input_ids] == [1, 1]
    array = tokenizer("the end", return_tensors="np").input_ids
    assert array.shape == (1, len(ids))
    assert array.dtype == np.int64
    with pytest.raises(TokenizerError, match="padding is not supported"):
        tokenizer(["the end", ""], return_tensors="np")
    with pytest.raises(TokenizerError, match="'np' or 'pt'"):
        tokenizer("the end", return_tensors="tf")
    with pytest.raises(TokenizerError, match="max_length"):
        tokenizer("the end", truncation=True)
    with pytest.raises(TokenizerError, match="max_length is -1; it must not be negative"):
        tokenizer("the end", truncation=True, max_length=-1)
    assert tokenizer("the end", truncation=True, max_length=0).input_ids == []


def test_tokens_and_ids(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.tokenize("é the")
    assert tokenizer.convert_tokens_to_string(tokens) == "é the"
    ids = tokenizer.convert_tokens_to_ids(tokens)
    assert ids == tokenizer.encode("é the", add_special_tokens=False)
    assert tokenizer.convert_ids_to_tokens(ids) == tokens
    assert tokenizer.convert_ids_to_tokens(ids[0]) == tokens[0]
    assert tokenizer.convert_tokens_to_ids("no such token") is None
    assert tokenizer.convert_tokens_to_ids(["<s>", "no such token"]) == [
        tokenizer.bos_token_id,
        None,
    ]
    with pytest.raises(TokenizerError, match="not a token id of"):
        tokenizer.convert_ids_to_tokens([len(tokenizer)])
    assert tokenizer.decode([*ids, len(tokenizer)]) == "é the"
    with pytest.raises(TokenizerError, match="not a token of"):
        tokenizer.convert_tokens_to_string(["no such token"])


def test_vocabulary(tokenizer: Tokenizer) -> None:
    vocab = tokenizer.get_vocab()
    assert vocab == tokenizer.vocab
    assert len(tokenizer) == len(vocab) == tokenizer.vocab_size + 2
    assert set(vocab.values()) == set(range(len(tokenizer)))
    assert tokenizer.get_added_vocab() == {"<s>": vocab["<s>"], "</s>": vocab["</s>"]}


def test_special_tokens(tokenizer: Tokenizer) -> None:
    vocab = tokenizer.get_vocab()
    assert tokenizer.special_tokens_map == {"bos_token": "<s>", "eos_token": "</s>"}
    assert tokenizer.all_special_tokens == ["<s>", "</s>"]
    assert tokenizer.all_special_ids == [vocab["<s>"], vocab["</s>"]]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (vocab["<s>"], vocab["</s>"])
    assert tokenizer.pad_token is None
    assert tokenizer.pad_token_id is None
    assert tokenizer.unk_token_id is None


def test_named_tokens_can_be_taken_away_and_must_be_tokens(folder: Callable[..., Path]) -> None:
    tokenizer = get_tokenizer(folder(tokenizer_config={"bos_token": "<s>"}))
    for name in ("bos", "eos", "pad"):
        setattr(tokenizer, f"{name}_token", "</s>")
        end = tokenizer.convert_tokens_to_ids("</s>")
        assert getattr(tokenizer, f"{name}_token_id") == end
        with pytest.raises(TokenizerError, match="'none' is not a token of"):
            setattr(tokenizer, f"{name}_token", "none")
        assert getattr(tokenizer, f"{name}_token") == "</s>"
        setattr(tokenizer, f"{name}_token", None)
        assert getattr(tokenizer, f"{name}_token") is getattr(tokenizer, f"{name}_token_id") is None


def test_arrays_of_ids(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the end")
    found = tokenizer(["the end", "the end"], return_tensors="np")
    np.testing.assert_array_equal(found.input_ids, [ids, ids])
    np.testing.assert_array_equal(found.attention_mask, np.ones((2, len(ids))))
    with pytest.raises(TokenizerError, match="needs rows of one length: padding is not supported"):
        tokenizer(["the end", "the"], return_tensors="np")


def test_special_tokens_can_be_named(tokenizer: Tokenizer) -> None:
    own = copy.deepcopy(tokenizer)
    own.pad_token = own.eos_token
    assert own.pad_token_id == own.eos_token_id
    assert tokenizer.pad_token is None
    with pytest.raises(TokenizerError, match="not a token of"):
        own.pad_token = "<no such token>"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
@pytest.mark.parametrize("name", ["small", "tinker-local/bytes"])
def test_copies_do_the_same(
    tokenizer: Tokenizer, name: str, copied: Callable[[Tokenizer], Tokenizer]
) -> None:
    if name != "small":
        tokenizer = get_tokenizer(name)
    other = copied(tokenizer)
    ids = tokenizer.encode("the énd")
    assert other.encode("the énd") == ids
    assert other.decode(ids) == tokenizer.decode(ids)
    assert other.special_tokens_map == tokenizer.special_tokens_map
    assert other.name_or_path == tokenizer.name_or_path


def test_repr(tokenizer: Tokenizer) -> None:
    assert repr(tokenizer) == f"Tokenizer({tokenizer.name_or_path!r}, {len(tokenizer)} tokens)"
