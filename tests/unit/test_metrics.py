"""Metrics of chunks as one: each rule by its suffix, against a reference, for any split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given, strategies as st

from tinker._training.metrics import combine, reduce, with_mean_loss
from tinker.types import ForwardBackwardOutput, TensorData

NAN, INF = math.nan, math.inf
FINITE = st.floats(-1e6, 1e6)
CHUNKS = st.lists(st.tuples(st.integers(0, 200), FINITE), min_size=1, max_size=8)


def one(suffix: str, *weighted: tuple[float, float | None]) -> dict[str, float]:
    """The reduction of one metric, from (weight, value) of each chunk."""
    return reduce([(weight, {f"m:{suffix}": value}) for weight, value in weighted])


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)


# ---- against a reference --------------------------------------------------------------------


def reference(suffix: str, chunks: Sequence[tuple[int, float]]) -> float:
    """From the definition, in exact arithmetic."""
    exact = [(Fraction(weight), Fraction(value)) for weight, value in chunks]
    values = [value for _, value in exact]
    total = sum(weight for weight, _ in exact)
    mean = sum(weight * value for weight, value in exact) / total
    return float(
        {
            "mean": mean,
            "sum": sum(values),
            "min": min(values),
            "max": max(values),
            "slack": max(values) - mean,
        }[suffix]
    )


@pytest.mark.parametrize("suffix", ["mean", "sum", "min", "max", "slack"])
@given(chunks=CHUNKS)
def test_numbers_are_those_of_the_definition(suffix: str, chunks: list[tuple[int, float]]) -> None:
    assume(any(weight for weight, _ in chunks))
    assert close(one(suffix, *chunks)[f"m:{suffix}"], reference(suffix, chunks))


@given(
    losses=st.lists(FINITE, min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 59), max_size=6),
)
def test_mean_and_sum_do_not_depend_on_the_split(losses: list[float], cuts: list[int]) -> None:
    def metrics(part: list[float]) -> dict[str, float]:
        return {"loss:mean": math.fsum(part) / len(part), "loss:sum": math.fsum(part)}

    edges = [0, *sorted({cut for cut in cuts if cut < len(losses)}), len(losses)]
    parts = [losses[start:end] for start, end in pairwise(edges)]
    split = reduce([(len(part), metrics(part)) for part in parts])
    whole = metrics(losses)
    assert all(close(split[key], whole[key]) for key in whole)


@given(CHUNKS, st.randoms())
def test_the_order_of_chunks_does_not_change_a_hash(
    chunks: list[tuple[int, float]], random: object
) -> None:
    shuffled = list(chunks)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for suffix in ("hash2", "hash_unordered"):
        assert one(suffix, *chunks) == one(suffix, *shuffled)


# ---- the table, row by row ------------------------------------------------------------------


def test_mean_is_weighted() -> None:
    assert one("mean", (1, 10.0), (3, 2.0)) == {"m:mean": 4.0}


def test_a_chunk_of_weight_zero_does_not_change_the_mean() -> None:
    assert one("mean", (0, 99.0), (2, 5.0), (2, 7.0)) == {"m:mean": 6.0}
    assert one("mean", (0, NAN), (2, 5.0), (2, 7.0)) == {"m:mean": 6.0}


def test_without_weights_there_is_no_mean_unless_all_agree() -> None:
    assert math.isnan(one("mean", (0, 1.0), (0, 2.0))["m:mean"])
    assert one("mean", (0, 1.5), (0, 1.5)) == {"m:mean": 1.5}
    assert one("mean", (0, 1.5)) == {"m:mean": 1.5}


def test_equal_values_are_their_mean_exactly() -> None:
    assert one("mean", (1, 0.1), (1, 0.1), (1, 0.1)) == {"m:mean": 0.1}
    assert one("slack", (1, 0.1), (1, 0.1), (1, 0.1)) == {"m:slack": 0.0}


def test_sum_min_max_do_not_look_at_weights() -> None:
    chunks = ((0, 1.0), (5, -2.0), (1, 4.0))
    assert one("sum", *chunks) == {"m:sum": 3.0}
    assert one("min", *chunks) == {"m:min": -2.0}
    assert one("max", *chunks) == {"m:max": 4.0}


def test_slack_is_the_greatest_minus_the_mean() -> None:
    assert one("slack", (1, 10.0), (3, 2.0)) == {"m:slack": 6.0}
    assert one("slack", (4, 10.0)) == {"m:slack": 0.0}


def test_unique_keeps_every_value() -> None:
    assert one("unique", (1, 5.0), (1, 5.0), (1, 7.0)) == {
        "m:unique": 5.0,
        "m:unique_1": 5.0,
        "m:unique_2": 7.0,
    }


def test_names_that_are_taken_are_passed_over() -> None:
    chunk = {"m:unique": 1.0, "m:unique_1": 9.0}
    assert reduce([(1, chunk), (1, {"m:unique": 2.0})]) == {
        "m:unique": 1.0,
        "m:unique_1": 9.0,
        "m:unique_2": 2.0,
    }


@pytest.mark.parametrize("suffix", ["hash2", "hash_unordered"])
def test_hashes_add_up_modulo_2_to_the_64(suffix: str) -> None:
    assert one(suffix, (1, 2.0**63), (1, 2.0**63), (1, 5.0)) == {f"m:{suffix}": 5}
    assert isinstance(one(suffix, (1, 7.0))[f"m:{suffix}"], int)
    assert one(suffix, (1, -1.0)) == {f"m:{suffix}": 2**64 - 1}
    assert math.isnan(one(suffix, (1, 7.0), (1, INF))[f"m:{suffix}"])


@pytest.mark.parametrize("key", ["lr:last", "lr", "", "lr:", ":"])
def test_an_unknown_suffix_keeps_what_the_chunks_agree_on_or_every_value(key: str) -> None:
    assert reduce([(1, {key: 0.1}), (3, {key: 0.1})]) == {key: 0.1}
    assert reduce([(1, {key: 0.1}), (3, {key: 0.2})]) == {key: 0.1, f"{key}_1": 0.2}
    assert math.isnan(reduce([(1, {key: NAN})])[key])


@pytest.mark.parametrize("suffix", ["mean", "sum", "min", "max", "unique"])
@pytest.mark.parametrize("value", [0.1, -3.0, 1e308, INF, 2**53 + 1])
@pytest.mark.parametrize("weight", [0, 1, 128])
def test_one_chunk_passes_unchanged(suffix: str, value: float, weight: int) -> None:
    assert one(suffix, (weight, value)) == {f"m:{suffix}": value}


def test_a_key_missing_from_some_chunks_is_reduced_over_the_others() -> None:
    reduced = reduce(
        [(1, {"a:sum": 1.0}), (1, {"b:mean": 3.0}), (3, {"a:sum": 2.0, "b:mean": 7.0})]
    )
    assert reduced == {"a:sum": 3.0, "b:mean": 6.0}


def test_the_last_colon_counts() -> None:
    assert reduce([(1, {"a:b:sum": 1.0}), (1, {"a:b:sum": 2.0})]) == {"a:b:sum": 3.0}


@pytest.mark.parametrize("suffix", ["mean", "sum", "min", "max", "slack", "hash2", "unique"])
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("missing", [NAN, None])
def test_a_nan_stays(suffix: str, position: int, missing: float | None) -> None:
    chunks = [(1, 1.0), (1, missing)]
    reduced = one(suffix, *(chunks if position else reversed(chunks)))
    assert any(math.isnan(value) for value in reduced.values())


@pytest.mark.parametrize("suffix", ["mean", "sum", "min", "max", "slack"])
@given(chunks=st.lists(st.tuples(st.integers(0, 9), st.floats()), min_size=1, max_size=6))
def test_nothing_raises_and_nothing_is_dropped(
    suffix: str, chunks: list[tuple[int, float]]
) -> None:
    assert list(one(suffix, *chunks)) == [f"m:{suffix}"]


# ---- whole results --------------------------------------------------------------------------


def output(kind: str, values: list[float], **metrics: float) -> ForwardBackwardOutput:
    return ForwardBackwardOutput(
        kind,
        [{"logprobs": TensorData([value])} for value in values],
        {name.replace("__", ":"): value for name, value in metrics.items()},
    )


def test_outputs_are_joined_in_order_and_weigh_the_metrics() -> None:
    joined = combine(
        [
            output("T", [1.0], loss__mean=10.0, loss__sum=1.0),
            output("T", [2.0, 3.0, 4.0], loss__mean=2.0, loss__sum=2.0),
        ]
    )
    assert joined == output("T", [1.0, 2.0, 3.0, 4.0], loss__mean=4.0, loss__sum=3.0)


def test_one_result_is_itself() -> None:
    single = output("T", [1.0, 2.0], loss__mean=0.1, lr__last=0.3, clock_cycle__unique=7.0)
    assert combine([single]) == single


def test_no_results_are_an_empty_one() -> None:
    assert combine([]) == ForwardBackwardOutput("", [], {})


def test_the_first_type_that_is_named_counts() -> None:
    assert combine([output("", []), output("A", []), output("B", [])]).loss_fn_output_type == "A"


@pytest.mark.parametrize(
    ("metrics", "weight", "mean"),
    [
        ({"loss:sum": 6.0}, 4.0, 1.5),
        ({"loss:sum": 6.0, "loss:mean": 2.0}, 4.0, 2.0),
        ({"loss:sum": 6.0}, 0.0, None),
        ({"loss:sum": 6.0}, None, None),
        ({"kl:sum": 6.0}, 4.0, None),
    ],
)
def test_the_mean_loss_is_the_servers_or_the_sum_for_each_unit_of_weight(
    metrics: dict[str, float], weight: float | None, mean: float | None
) -> None:
    output = with_mean_loss(ForwardBackwardOutput("", [], metrics), lambda: weight)
    assert output.metrics.get("loss:mean") == mean
