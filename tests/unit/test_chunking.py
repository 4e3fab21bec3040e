"""Chunking: nothing lost, order kept, each chunk as long as the limits allow and no longer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinker._training.chunking import ChunkLimits, measure, split
from tinker.types import (
    Datum,
    DmelChunk,
    ImageAssetPointerChunk,
    ImageChunk,
    ModelInput,
    TensorData,
)


def text(tokens: int, extra_bytes: int = 0) -> Datum:
    """A datum of `tokens` tokens and 4 · tokens + extra_bytes bytes (a multiple of 4)."""
    inputs = {"extra": TensorData(np.zeros(extra_bytes // 4, np.float32))} if extra_bytes else {}
    return Datum(ModelInput.from_ints(np.zeros(tokens, np.int32)), inputs)


def image(data: int, expected_tokens: int | None = None) -> Datum:
    chunk = ImageChunk(data=bytes(data), format="png", expected_tokens=expected_tokens)
    return Datum(ModelInput(chunks=[chunk]))


def sizes(data: list[Datum], limits: ChunkLimits | None = None) -> list[int]:
    return [len(chunk.data) for chunk in (split(data, limits) if limits else split(data))]


# ---- properties -----------------------------------------------------------------------------

DATUMS = st.lists(
    st.builds(text, st.integers(0, 30), st.integers(0, 12).map(lambda n: 4 * n))
    | st.builds(image, st.integers(0, 150), st.none() | st.integers(0, 30)),
    min_size=1,
    max_size=40,
)
LIMITS = st.builds(ChunkLimits, st.integers(1, 9), st.integers(1, 60), st.integers(1, 300))


def fits(chunk: list[Datum], limits: ChunkLimits) -> bool:
    tokens, size = (sum(column) for column in zip(*map(measure, chunk), strict=True))
    return len(chunk) <= limits.examples and tokens <= limits.tokens and size <= limits.bytes


@given(DATUMS, LIMITS)
def test_nothing_is_lost_and_order_is_kept(data: list[Datum], limits: ChunkLimits) -> None:
    chunks = [chunk.data for chunk in split(data, limits)]
    assert all(chunks)
    assert [id(datum) for chunk in chunks for datum in chunk] == [id(datum) for datum in data]


@given(DATUMS, LIMITS)
def test_a_chunk_over_a_limit_is_one_datum(data: list[Datum], limits: ChunkLimits) -> None:
    for chunk in split(data, limits):
        assert fits(chunk.data, limits) or len(chunk.data) == 1
        assert chunk.bytes == sum(measure(datum)[1] for datum in chunk.data)


@given(DATUMS, LIMITS)
def test_no_chunk_could_have_taken_the_next_datum(data: list[Datum], limits: ChunkLimits) -> None:
    chunks = [chunk.data for chunk in split(data, limits)]
    for chunk, following in pairwise(chunks):
        assert not fits([*chunk, following[0]], limits)


# ---- the edges ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [1]), (127, [127]), (128, [128]), (129, [128, 1]), (257, [128, 128, 1])],
)
def test_128_examples(count: int, expected: list[int]) -> None:
    assert sizes([text(1)] * count) == expected


@pytest.mark.parametrize(("last", "expected"), [(99_999, [5]), (100_000, [5]), (100_001, [4, 1])])
def test_500_000_tokens(last: int, expected: list[int]) -> None:
    assert sizes([text(100_000)] * 4 + [text(last)]) == expected


@pytest.mark.parametrize(
    ("last", "expected"), [(999_999, [5]), (1_000_000, [5]), (1_000_001, [4, 1])]
)
def test_5_000_000_bytes(last: int, expected: list[int]) -> None:
    assert sizes([image(1_000_000)] * 4 + [image(last)]) == expected


def test_an_oversized_datum_travels_alone() -> None:
    for oversized in (text(500_001), image(5_000_001), image(1, expected_tokens=500_001)):
        assert sizes([oversized]) == [1]
        assert sizes([text(1), oversized, text(1), text(1)]) == [1, 1, 2]


def test_limits_can_be_set() -> None:
    assert sizes([text(10)] * 6, ChunkLimits(examples=4)) == [4, 2]
    assert sizes([text(10)] * 6, ChunkLimits(tokens=20)) == [2, 2, 2]
    assert sizes([text(10)] * 6, ChunkLimits(bytes=120)) == [3, 3]
    with pytest.raises(ValueError, match=r"ChunkLimits\.tokens is 0; it must be at least 1"):
        ChunkLimits(tokens=0)


def test_an_empty_batch_is_an_error() -> None:
    with pytest.raises(ValueError, match="data is empty"):
        split([])


# ---- measures -------------------------------------------------------------------------------


def test_text_and_tensors() -> None:
    inputs = {"target_tokens": [1, 2, 3], "weights": [1, 1, 1]}
    assert measure(Datum(ModelInput.from_ints([1, 2, 3]), inputs)) == (3, 3 * 4 + 3 * 8 + 3 * 4)


def test_a_sparse_tensor_counts_its_values_and_indices() -> None:
    sparse = TensorData([5, 6, 7], "float32", [2, 3], [0, 2, 3], [0, 2, 1])
    assert measure(Datum(ModelInput.empty(), {"weights": sparse})) == (0, 3 * 4 + (3 + 3) * 8)


def test_images_and_audio() -> None:
    prompt = ModelInput(
        chunks=[
            ImageChunk(data=bytes(10), format="png", expected_tokens=7),
            ImageAssetPointerChunk(location="asset", format="png", expected_tokens=5),
            DmelChunk(dmel=b"\x00\x01\x03abc"),
        ]
    )
    assert measure(Datum(prompt)) == (7 + 5 + 3, 10 + 5 + 6)


def test_an_unknown_length_counts_nothing() -> None:
    broken_audio = Datum(ModelInput(chunks=[DmelChunk(dmel=b"\x00")]))
    assert measure(image(10)) == (0, 10)
    assert measure(broken_audio) == (0, 1)
