"""Model inputs and their chunks: what they accept, refuse, add up to, and look like outside."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinker.types import (
    DmelChunk,
    EncodedTextChunk,
    ImageAssetPointerChunk,
    ImageChunk,
    ModelInput,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
IMAGE = ImageChunk(data=b"\xff\x00", format="png", expected_tokens=7)
UNMEASURED = ImageChunk(data=b"\xff\x00", format="png")


# ---- tokens ---------------------------------------------------------------------------------


@given(st.lists(INT32))
def test_tokens_come_back_as_they_went_in(tokens: list[int]) -> None:
    prompt = ModelInput.from_ints(tokens)
    assert prompt.to_ints() == tokens
    assert prompt.length == len(tokens)
    assert prompt.chunks[0].tokens == tokens  # type: ignore[union-attr]
    assert prompt.chunks[0].tokens_np.dtype == np.int32  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "tokens",
    [
        (1, 2, 3),
        range(1, 4),
        [np.int64(1), np.int32(2), 3],
        np.array([1, 2, 3]),
        np.array([1, 2, 3], np.uint8),
        np.array([1, 2, 3], ">i8"),
        np.array([9, 1, 9, 2, 9, 3])[1::2],
    ],
)
def test_tokens_may_be_any_sequence_of_integers(tokens: Any) -> None:
    assert ModelInput.from_ints(tokens) == ModelInput.from_ints([1, 2, 3])


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([5, 1.0], r"tokens\[1\] is 1\.0 \(float\); it must be a token id"),
        ([5, float("nan")], r"tokens\[1\] is nan"),
        ([5, None], r"tokens\[1\] is None"),
        ([5, "7"], r"tokens\[1\] is '7'"),
        ([5, True], r"tokens\[1\] is True \(bool\)"),
        ([0, False], r"tokens\[1\] is False"),
        ([5, 2**31], r"tokens\[1\] is 2147483648"),
        ([5, 2**80], r"tokens\[1\] is 1208925819614629174706176"),
        ([[1, 2], [3]], r"tokens\[0\] is \[1, 2\] \(list\)"),
        (np.array([1, 2**31, -5]), r"tokens\[1\] is 2147483648"),
        (np.array([2**64 - 1], np.uint64), r"tokens\[0\] is 18446744073709551615"),
        (np.array([1.5]), "array of float64; token ids must be integers"),
        (np.array([True]), "array of bool"),
        (np.array([[1, 2]]), r"shape \[1, 2\]; it must have one axis"),
    ],
)
def test_what_is_not_a_token_id_is_named(tokens: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelInput.from_ints(tokens)


@pytest.mark.parametrize("tokens", ["123", b"123", None, 5, {1, 2}, (i for i in range(3))])
def test_what_is_not_a_sequence_is_rejected(tokens: Any) -> None:
    with pytest.raises(TypeError, match="it must be a list or an array of token ids"):
        EncodedTextChunk(tokens=tokens)


def test_a_chunk_does_not_change_with_the_list_or_array_it_was_made_from() -> None:
    tokens = [1, 2, 3]
    array = np.array(tokens, np.int32)
    from_list, from_array = EncodedTextChunk(tokens=tokens), EncodedTextChunk(tokens=array)
    tokens.append(4)
    array[0] = 9
    assert from_list.tokens == from_array.tokens == [1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        from_array.tokens_np[0] = 9


@pytest.mark.torch
def test_tokens_may_be_a_torch_tensor() -> None:
    torch = pytest.importorskip("torch")
    assert ModelInput.from_ints(torch.tensor([1, 2, 3])).to_ints() == [1, 2, 3]
    with pytest.raises(ValueError, match="array of float32"):
        ModelInput.from_ints(torch.tensor([1.0]))


# ---- building -------------------------------------------------------------------------------


def test_append_int_extends_the_last_text_and_leaves_the_original_alone() -> None:
    start = ModelInput.from_ints([1])
    longer = start.append_int(2).append_int(3)
    assert longer == ModelInput.from_ints([1, 2, 3])
    assert start.to_ints() == [1]
    assert ModelInput.empty().append_int(4) == ModelInput.from_ints([4])


def test_append_int_begins_a_new_text_after_an_image() -> None:
    prompt = ModelInput.from_ints([1]).append(IMAGE).append_int(2).append_int(3)
    assert prompt.chunks == [
        EncodedTextChunk(tokens=[1]),
        IMAGE,
        EncodedTextChunk(tokens=[2, 3]),
    ]
    assert prompt.length == 10


@pytest.mark.parametrize("token", [1.5, "1", None, True, 2**31])
def test_append_int_rejects_what_is_not_a_token_id(token: Any) -> None:
    with pytest.raises(ValueError, match="it must be a token id"):
        ModelInput.from_ints([1]).append_int(token)


def test_append_keeps_chunks_apart() -> None:
    prompt = ModelInput.from_ints([1]).append(EncodedTextChunk(tokens=[2]))
    assert len(prompt.chunks) == 2
    assert prompt.to_ints() == [1, 2]
    with pytest.raises(TypeError, match="cannot be of type int"):
        prompt.append(5)  # type: ignore[arg-type]


def test_empty() -> None:
    assert ModelInput.empty().chunks == []
    assert ModelInput.empty().length == 0
    assert ModelInput.empty().to_ints() == []


def test_to_ints_says_which_chunk_is_not_text() -> None:
    with pytest.raises(ValueError, match=r"chunks\[1\] is of type ImageChunk"):
        ModelInput.from_ints([1]).append(IMAGE).to_ints()


# ---- text -----------------------------------------------------------------------------------


class WordsOfHuggingFace:
    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return ([0] if add_special_tokens else []) + [len(word) for word in text.split()]


class PlainWords:
    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]


class Encoding:
    ids = (3, 4)


class WordsAsEncoding:
    def encode(self, text: str, **options: object) -> Encoding:
        return Encoding()


class ClientWithTokenizer:
    def get_tokenizer(self) -> WordsOfHuggingFace:
        return WordsOfHuggingFace()


@pytest.mark.parametrize("tokenizer", [WordsOfHuggingFace(), PlainWords(), WordsAsEncoding()])
def test_from_text_adds_nothing_to_the_text(tokenizer: object) -> None:
    assert ModelInput.from_text("how come", tokenizer=tokenizer).to_ints() == [3, 4]


def test_from_text_asks_the_training_client() -> None:
    prompt = ModelInput.from_text("how come", training_client=ClientWithTokenizer())
    assert prompt.to_ints() == [3, 4]


def test_from_text_asks_the_sampling_client() -> None:
    prompt = ModelInput.from_text("how come", sampling_client=ClientWithTokenizer())
    assert prompt.to_ints() == [3, 4]


def test_from_text_needs_a_tokenizer_and_text() -> None:
    with pytest.raises(
        ValueError, match="give training_client=, sampling_client=, model_name= or tokenizer="
    ):
        ModelInput.from_text("text")
    with pytest.raises(TypeError, match="text is of type list"):
        ModelInput.from_text(["text"], tokenizer=PlainWords())  # type: ignore[arg-type]


# ---- images and audio -----------------------------------------------------------------------


def test_the_length_of_an_image_is_what_is_expected_of_it() -> None:
    pointer = ImageAssetPointerChunk(location="asset://1", format="jpeg", expected_tokens=5)
    assert (IMAGE.length, pointer.length) == (7, 5)


@pytest.mark.parametrize(
    "chunk", [UNMEASURED, ImageAssetPointerChunk(location="asset://1", format="jpeg")]
)
def test_an_image_of_unknown_length_is_named(chunk: Any) -> None:
    prompt = ModelInput.from_ints([1]).append(chunk)
    with pytest.raises(ValueError, match=rf"chunks\[1\]: {type(chunk).__name__} has no expected"):
        _ = prompt.length


def test_image_bytes_may_be_base64() -> None:
    assert ImageChunk(data="/wA=", format="png") == UNMEASURED
    assert ImageChunk(data="/w\nA=\n", format="png") == UNMEASURED
    with pytest.raises(ValueError, match="must be base64"):
        ImageChunk(data="not base64!", format="png")
    with pytest.raises(TypeError, match="expected bytes or a base64 string"):
        ImageChunk(data=5, format="png")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [{"format": "webp"}, {"expected_tokens": -1}, {"expected_tokens": True}, {"type": "text"}],
)
def test_fields_of_an_image_are_checked(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"ImageChunk.{next(iter(fields))} is"):
        ImageChunk(**{"data": b"", "format": "png", **fields})


@pytest.mark.parametrize(
    ("header", "length"),
    [([0, 1, 3], 3), ([0, 2, 3, 4], 3), ([254, 0, 2, 3, 4], 3), ([7, 1, 0xAC, 0x02], 300)],
)
def test_the_length_of_audio_is_its_tensors_first_dimension(header: list[int], length: int) -> None:
    assert DmelChunk(dmel=bytes(header) + b"elements").length == length


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([], "ends within its header"),
        ([254], "ends within its header"),
        ([0], "ends within its header"),
        ([0, 1], "ends within its header"),
        ([0, 1, 0xAC], "ends within its header"),
        ([8, 1, 3], "element type 8"),
        ([0, 0], "without dimensions"),
    ],
)
def test_a_broken_audio_header_is_an_error_when_its_length_is_asked(
    header: list[int], message: str
) -> None:
    chunk = DmelChunk(dmel=bytes(header))
    with pytest.raises(ValueError, match=message):
        _ = chunk.length


# ---- as values ------------------------------------------------------------------------------

ALL_KINDS = ModelInput(
    chunks=[
        EncodedTextChunk(tokens=[1, 2]),
        IMAGE,
        ImageAssetPointerChunk(location="asset://1", format="jpeg"),
        DmelChunk(dmel=b"\x00\x01\x03"),
    ]
)


def test_equality_and_hash_are_by_value() -> None:
    assert EncodedTextChunk(tokens=[1, 2]) == EncodedTextChunk(tokens=np.array([1, 2]))
    assert EncodedTextChunk(tokens=[1, 2]) != EncodedTextChunk(tokens=[1, 3])
    assert ModelInput.from_ints([1, 2]) != ModelInput.from_ints([1]).append_int(3)
    assert len({EncodedTextChunk(tokens=[1, 2]), EncodedTextChunk(tokens=(1, 2)), IMAGE}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(ALL_KINDS)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, ModelInput.model_copy])
def test_copies_equal_the_original(duplicate: Any) -> None:
    assert duplicate(ALL_KINDS) == ALL_KINDS
    assert pickle.loads(pickle.dumps(ALL_KINDS)) == ALL_KINDS


def test_members_cannot_be_assigned() -> None:
    for value, name in [(ALL_KINDS, "chunks"), (ALL_KINDS.chunks[0], "tokens"), (IMAGE, "data")]:
        with pytest.raises(AttributeError):
            setattr(value, name, [])


def test_reprs_are_short() -> None:
    assert repr(ModelInput.from_ints([1, 2])) == (
        "ModelInput(chunks=[EncodedTextChunk(tokens=[1, 2], type='encoded_text')])"
    )
    assert repr(EncodedTextChunk(tokens=range(4096))) == (
        "EncodedTextChunk(tokens=[0, 1, 2, 3, 4, …, 4095] (4096), type='encoded_text')"
    )
    assert "data=<1000000 bytes>" in repr(ImageChunk(data=bytes(1_000_000), format="png"))


def test_dumps_are_those_of_the_wire() -> None:
    assert ALL_KINDS.model_dump() == {
        "chunks": [
            {"tokens": [1, 2], "type": "encoded_text"},
            {"data": "/wA=", "format": "png", "expected_tokens": 7, "type": "image"},
            {
                "format": "jpeg",
                "location": "asset://1",
                "expected_tokens": None,
                "type": "image_asset_pointer",
            },
            {"dmel": "AAED", "type": "dmel"},
        ]
    }
    assert ModelInput.from_ints([1, 2]).model_dump_json() == (
        '{"chunks":[{"tokens":[1,2],"type":"encoded_text"}]}'
    )


def test_dumps_can_be_cut_down() -> None:
    image = UNMEASURED
    assert "expected_tokens" not in image.model_dump(exclude_none=True)
    assert image.model_dump(include={"format"}) == {"format": "png"}
    assert image.model_dump(exclude={"data", "type"}) == {"format": "png", "expected_tokens": None}
    assert image.model_dump(exclude_defaults=True) == {"data": "/wA=", "format": "png"}
    assert image.model_dump(exclude_unset=True) == {"data": "/wA=", "format": "png"}
    assert '\n  "format": "png"' in image.model_dump_json(indent=2)


def test_dumps_can_be_read_back() -> None:
    assert ModelInput.model_validate(ALL_KINDS.model_dump()) == ALL_KINDS
    assert ModelInput.model_validate_json(ALL_KINDS.model_dump_json()) == ALL_KINDS
    assert ModelInput.model_validate(ALL_KINDS) is ALL_KINDS


def test_a_chunk_without_its_tag_is_known_by_its_members() -> None:
    prompt = ModelInput(chunks=[{"tokens": [1]}, {"data": "/wA=", "format": "png"}])  # type: ignore[list-item]
    assert prompt.chunks == [EncodedTextChunk(tokens=[1]), UNMEASURED]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "ModelInput needs 'chunks'"),
        ({"chunks": [], "other": 1}, "ModelInput has no field 'other'; its fields are chunks"),
        ({"chunks": [{"type": "video"}]}, "unknown type of chunk: 'video'"),
        ({"chunks": [{"type": "encoded_text"}]}, "EncodedTextChunk needs 'tokens'"),
    ],
)
def test_what_cannot_be_read_is_named(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelInput.model_validate(value)


def test_model_copy_checks_what_it_replaces() -> None:
    chunk = EncodedTextChunk(tokens=[1])
    assert chunk.model_copy(update={"tokens": [2]}).tokens == [2]
    with pytest.raises(ValueError, match="token id"):
        chunk.model_copy(update={"tokens": [2.5]})


def test_pydantic_models_may_have_members_of_these_types() -> None:
    pydantic = pytest.importorskip("pydantic")
    example_type = pydantic.create_model("Example", prompt=(ModelInput, ...))
    example = example_type(prompt=ALL_KINDS.model_dump())
    assert example.prompt == ALL_KINDS
    assert example_type.model_validate_json(example.model_dump_json()) == example
    with pytest.raises(pydantic.ValidationError, match="unknown type of chunk"):
        example_type(prompt={"chunks": [{"type": "video"}]})
