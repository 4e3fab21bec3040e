"""Results of sampling and training: arrays and lists of the same numbers."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinker.types import (
    ForwardBackwardOutput,
    ParsedCheckpointTinkerPath,
    PromptAltTokens,
    SampledSequence,
    SampleResponse,
    TensorData,
    TopkLogprobs,
)

NAN = float("nan")
TOPK_ROWS = [None, [(1, -1.0), (2, -2.0)], [(3, -0.5)]]
TOPK = TopkLogprobs(
    np.array([[0, 0], [1, 2], [3, 0]], np.int32),
    np.array([[-99999, -99999], [-1, -2], [-0.5, -99999]], np.float32),
)


def floats(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


# ---- sequences ------------------------------------------------------------------------------


def test_a_sequence_of_arrays_reads_as_lists() -> None:
    sequence = SampledSequence("stop", "id", np.array([4, 5], np.int32), floats(-0.5, -1.5), TOPK)
    assert sequence.tokens == [4, 5]
    assert sequence.logprobs == [-0.5, -1.5]
    assert sequence.topk_logprobs == TOPK_ROWS
    assert all(type(token) is int for token in sequence.tokens)
    assert sequence.tokens is sequence.tokens


def test_a_sequence_of_lists_reads_as_arrays() -> None:
    from_lists = SampledSequence(
        stop_reason="stop",
        sequence_id="id",
        _tokens_list=[4, 5],
        _logprobs_list=[-0.5, -1.5],
        _topk_logprobs_list=[None, [[1, -1.0], [2, -2.0]], [[3, -0.5]]],
    )
    assert from_lists == SampledSequence(
        "stop", "id", np.array([4, 5], np.int32), floats(-0.5, -1.5), TOPK
    )
    assert from_lists.topk_logprobs == TOPK_ROWS
    assert from_lists.topk_logprobs_np == TOPK
    assert from_lists.tokens_np is not None
    assert from_lists.tokens_np.dtype == np.int32


def test_what_was_not_asked_for_is_none() -> None:
    sequence = SampledSequence("length", "")
    assert sequence.tokens == []
    assert (sequence.logprobs, sequence.topk_logprobs) == (None, None)
    assert (sequence.tokens_np, sequence.logprobs_np, sequence.topk_logprobs_np) == (None,) * 3
    assert SampledSequence("length", "", [], []).logprobs == []


def test_other_stop_reasons_are_refused() -> None:
    with pytest.raises(ValueError, match="stop_reason is 'tired'; it must be 'stop' or 'length'"):
        SampledSequence("tired", "id")  # type: ignore[arg-type]


@given(
    st.lists(
        st.none()
        | st.lists(
            st.tuples(st.integers(0, 2**31 - 1), st.floats(-1000, 0, width=32)),
            min_size=1,
            max_size=4,
        ),
        max_size=6,
    )
)
def test_topk_pairs_survive_as_arrays(rows: list[list[tuple[int, float]] | None]) -> None:
    assert TopkLogprobs.from_list(rows).to_list() == rows


# ---- responses ------------------------------------------------------------------------------


def response(**fields: Any) -> SampleResponse:
    return SampleResponse([SampledSequence("stop", "id", [4, 5], floats(-0.5, NAN))], **fields)


def test_a_missing_prompt_logprob_is_nan_in_the_array_and_none_in_the_list() -> None:
    for given_as in (
        response(prompt_logprobs_np=floats(NAN, -1.0)),
        response(_prompt_logprobs_list=[None, -1.0]),
    ):
        assert given_as.prompt_logprobs == [None, -1.0]
        np.testing.assert_array_equal(given_as.prompt_logprobs_np, [NAN, -1.0])


def test_topk_of_the_prompt_reads_both_ways() -> None:
    for given_as in (
        response(topk_prompt_logprobs_np=TOPK),
        response(_topk_prompt_logprobs_list=TOPK_ROWS),
    ):
        assert given_as.topk_prompt_logprobs == TOPK_ROWS
        assert given_as.topk_prompt_logprobs_np == TOPK


def test_defaults_of_a_response() -> None:
    plain = SampleResponse([])
    assert (plain.prompt_logprobs, plain.topk_prompt_logprobs) == (None, None)
    assert (plain.target_prompt_logprobs, plain.prompt_alt_tokens) == (None, None)
    assert plain.prompt_cache_hit_tokens == 0


FULL = response(
    prompt_logprobs_np=floats(NAN, -1.0),
    topk_prompt_logprobs_np=TOPK,
    target_prompt_logprobs=TensorData([[0.5], [NAN]]),
    prompt_cache_hit_tokens=3,
    prompt_alt_tokens=PromptAltTokens(TensorData([[1, 2]]), TensorData([[-1.0, -2.0]])),
)


def test_responses_are_values() -> None:
    assert copy.deepcopy(FULL) == copy.copy(FULL) == pickle.loads(pickle.dumps(FULL)) == FULL
    assert response() != FULL
    assert hash(FULL.sequences[0]) == hash(copy.deepcopy(FULL.sequences[0]))
    with pytest.raises(AttributeError):
        FULL.sequences = []  # type: ignore[misc]


def test_a_response_is_read_from_what_servers_send() -> None:
    read = SampleResponse.model_validate_json(
        b'{"type":"sample","sequences":[{"sequence_id":"id","stop_reason":"stop","tokens":[4],'
        b'"logprobs":[-0.5],"of_tomorrow":1}],"prompt_logprobs":[null,-1.0]}'
    )
    assert read.sequences == [SampledSequence("stop", "id", [4], [-0.5])]
    assert read.prompt_logprobs == [None, -1.0]


def test_dumps_name_the_members_as_the_wire_does() -> None:
    plain = SampleResponse([SampledSequence("stop", "id", [4], [-0.5])], floats(NAN, -1.0))
    assert plain.model_dump(exclude_none=True) == {
        "sequences": [
            {"stop_reason": "stop", "sequence_id": "id", "tokens": [4], "logprobs": [-0.5]}
        ],
        "prompt_logprobs": [None, -1.0],
        "prompt_cache_hit_tokens": 0,
    }
    assert SampleResponse.model_validate(FULL.model_dump()) == FULL


def test_a_nan_is_null_in_json() -> None:
    assert '"logprobs":[-0.5,null]' in response().model_dump_json()
    assert SampleResponse.model_validate_json(FULL.model_dump_json()) == FULL


def test_reprs_are_short() -> None:
    long = SampledSequence("stop", "id", np.arange(5000, dtype=np.int32))
    assert repr(long) == (
        "SampledSequence(stop_reason='stop', sequence_id='id', "
        "tokens=[0, 1, 2, 3, 4, …, 4999] (5000), logprobs=None)"
    )
    assert len(repr(FULL)) < 600


# ---- training results -----------------------------------------------------------------------


def test_training_output_is_a_value() -> None:
    output = ForwardBackwardOutput(
        "CrossEntropyLossReturn", [{"logprobs": TensorData([-1.0])}] * 3, {"loss:sum": 3.0}
    )
    assert output == copy.deepcopy(output) == pickle.loads(pickle.dumps(output))
    assert ForwardBackwardOutput.model_validate(output.model_dump()) == output
    assert ForwardBackwardOutput("t", []).metrics == {}
    assert "… 3 in all" in repr(output)
    assert output != ForwardBackwardOutput(
        "CrossEntropyLossReturn", [{"logprobs": TensorData([-2.0])}] * 3, {"loss:sum": 3.0}
    )


# ---- paths ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "checkpoint_type"),
    [("weights", "training"), ("sampler_weights", "sampler"), ("external_weights", "external")],
)
def test_tinker_paths_are_taken_apart(kind: str, checkpoint_type: str) -> None:
    path = f"tinker://run-1/{kind}/step 5"
    parsed = ParsedCheckpointTinkerPath.from_tinker_path(path)
    assert parsed.model_dump() == {
        "tinker_path": path,
        "training_run_id": "run-1",
        "checkpoint_type": checkpoint_type,
        "checkpoint_id": f"{kind}/step 5",
    }


@pytest.mark.parametrize(
    "path",
    [
        "",
        "run/weights/a",
        "http://run/weights/a",
        "tinker://run/weights",
        "tinker://run/weights/a/b",
        "tinker://run/other/a",
        "tinker:///weights/a",
        "tinker://run/weights/",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a tinker path"):
        ParsedCheckpointTinkerPath.from_tinker_path(path)
